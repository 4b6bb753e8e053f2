"""Descriptions: what features add tells who may ask, and what connection() makes is described."""

from typing import Any

import strawberry
from strawberry.permission import BasePermission

from gql_app.extending.extend import extend
from gql_app.extending.feature import Feature
from gql_app.extending.merging import parts_of
from gql_app.extending.permissions import HasPermission
from gql_app.lib.composition import WHO_MAY_ASK
from gql_app.schema.customers import Customer
from gql_app.schema.permissions import PRIVATE, IsAuthenticated
from gql_app.schema.root import build_schema
from tests.extending import shop
from tests.schema.test_descriptions import parts


class IsLucky(BasePermission):
    """A permission of a feature, which says nothing of itself."""

    def has_permission(self, *_: object, **__: object) -> bool:
        """Let everybody in."""
        return True


class IsPatient(IsLucky):
    """One that says who it lets in."""

    who_may_ask = "For patient people."


@strawberry.type
class Luck:
    """Fields of every kind."""

    @strawberry.field(description="A number.", permission_classes=[IsLucky, IsPatient])
    async def number(self) -> int | None:
        """Return a number."""
        return 7

    @strawberry.field(permission_classes=[HasPermission("luck:read")])
    async def read(self) -> int | None:
        """Return a number."""
        return 7

    @strawberry.field(permission_classes=[IsAuthenticated])
    async def mine(self) -> int | None:
        """Return a number."""
        return 7

    @strawberry.field
    async def open(self) -> int | None:
        """Return a number."""
        return 7


@extend(Customer, private=True)
class CustomerLuck(Customer):
    """A private field."""

    @strawberry.field(description="Their number.")
    async def lucky(self) -> int | None:
        """Return a number."""
        return 7


def test_features_fields_tell_who_may_ask_as_well() -> None:
    faults: list[str] = []
    luck = Feature("luck", queries=[Luck], extensions=[CustomerLuck])
    types: dict[str, Any] = build_schema(parts_of([luck], faults).additions).core.type_map
    assert faults == []
    query = types["Query"].fields
    assert {name: query[name].description for name in ("number", "read", "mine", "open")} == {
        "number": "A number. Needs IsLucky. For patient people.",
        "read": "Needs luck:read.",
        "mine": "Signed in only.",
        "open": "Open to everyone.",
    }
    assert types["Customer"].fields["lucky"].description == f"Their number. {PRIVATE[WHO_MAY_ASK]}"
    assert "lucky" not in build_schema().as_str()


def test_error_codes_are_described_as_their_feature_has_it() -> None:
    told = Feature("told", error_codes={"TOLD": "It was told before."})
    bare = Feature("bare", error_codes=["BARE"])
    types: dict[str, Any] = build_schema(parts_of([told, bare], []).additions).core.type_map
    codes = types["UserErrorCode"].values
    assert codes["TOLD"].description == "It was told before."
    assert codes["BARE"].description is None
    assert codes["TAKEN"].description


def test_what_connection_makes_is_described() -> None:
    types: dict[str, Any] = build_schema(parts_of([shop.SHOP], []).additions).core.type_map
    made = [
        types[f"Order{each}"] for each in ("Connection", "Edge", "Filter", "Order", "OrderField")
    ]
    for kind in made:
        assert all(part.description for _, part in (("", kind), *parts(kind))), kind
    page = types["Query"].fields["orders"]
    assert page.description == "A page of a list. Signed in only."
    assert all(each.description for each in page.args.values())
    assert types["OrderFilter"].fields["createdAfter"].description == (
        "Only rows whose createdAt is later than this."
    )
    assert types["OrderOrderField"].values["CREATED_AT"].description == "By createdAt."
    assert types["OrderPayload"].fields["status"].description == "Whether it succeeded."
