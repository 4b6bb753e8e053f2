"""Input fields of features whose registration waits: stored once checked, and saved with it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import pytest
import strawberry
from sqlalchemy import select, update

from gql_app.db.tables import CustomerRow, RegistrationRow
from gql_app.errors import Refused
from gql_app.extending.extend import extend
from gql_app.extending.feature import Feature
from gql_app.extending.hooks import CommittedEvent
from gql_app.extending.transaction import Transaction
from gql_app.lib.text import visible_line
from gql_app.schema.authentication import RegisterInput
from gql_app.settings import Settings
from tests.extending.graph import Graph, graph
from tests.letterbox import Letterbox
from tests.people import PASSWORD
from tests.rows import column, value

EVE: Final[dict[str, Any]] = {"name": "Eve", "email": "eve@example.com", "password": PASSWORD}
REGISTER: Final = """mutation ($input: RegisterInput!) {
  register(input: $input) { status token errors { code field } }
}"""
VERIFY: Final = """mutation ($link: String!) {
  verifyEmail(token: $link) { status errors { code field } }
}"""


@strawberry.enum
class Plan(Enum):
    """What somebody takes."""

    SMALL = "s"
    LARGE = "l"


@strawberry.input
class Street:
    """Where somebody lives."""

    name: str
    number: int = 1
    floor: strawberry.Maybe[int | None]
    door: strawberry.Maybe[str]


saved: list[Mapping[str, Any]] = []
happened: list[CommittedEvent] = []


@extend(RegisterInput)
class Details:
    """Fields of many types."""

    born: date
    plan: Plan = Plan.SMALL
    prices: list[Decimal | None] | None = strawberry.UNSET
    street: Street | None = strawberry.UNSET
    nick_name: strawberry.Maybe[str | None]
    pet: str | None = strawberry.UNSET

    @staticmethod
    async def check_born(value: date) -> date:
        """Return the first of the month. Raises Refused."""
        if value.year < 1900:
            code, message = "TOO_OLD", "Nobody is so old."
            raise Refused(code, message)
        return value.replace(day=1)

    @staticmethod
    def check_pet(value: str | None) -> object:
        """Return a text, or what is none."""
        others = {"day": date(2030, 1, 1), "list": [1]}
        return others.get(value or "") or visible_line(value or "", what="pet", longest=10)

    @staticmethod
    async def save(_tx: Transaction, _customer_id: UUID, values: Mapping[str, Any]) -> None:
        """Take down what is saved. Raises Refused."""
        if values.get("pet") == "dragon":
            code, message = "TOO_OLD", "Extinct."
            raise Refused(code, message, "pet")
        saved.append(values)


async def note(event: CommittedEvent) -> None:
    """Take down an event."""
    happened.append(event)


FEATURE: Final = Feature(
    "details", extensions=[Details], error_codes=["TOO_OLD"], on={"customer:registered": note}
)


@pytest.fixture(autouse=True)
def settings(settings: Settings, letterbox: Letterbox) -> Settings:
    """Require that addresses are proven, by letters that go to the letterbox."""
    assert letterbox.empty
    saved.clear()
    happened.clear()
    return settings.model_copy(update={"email_verification": "require"})


@asynccontextmanager
async def details(settings: Settings) -> AsyncIterator[Graph]:
    """Run an application with the feature."""
    async with graph(settings, [FEATURE]) as opened:
        yield opened


async def register(app: Graph, **given: object) -> list[dict[str, str]]:
    """Ask to be registered; return what is wrong."""
    answer = (await app.data(REGISTER, input={**EVE, **given}))["register"]
    assert answer["token"] is None
    errors: list[dict[str, str]] = answer["errors"]
    return errors


async def verify(app: Graph, link: str) -> list[dict[str, str]]:
    """Use a link; return what is wrong."""
    errors: list[dict[str, str]] = (await app.data(VERIFY, link=link))["verifyEmail"]["errors"]
    return errors


async def test_what_was_given_is_checked_at_once_and_saved_with_the_account(
    settings: Settings, letterbox: Letterbox
) -> None:
    async with details(settings) as app:
        old = await register(app, born="1815-12-10")
        assert old == [{"code": "TOO_OLD", "field": "born"}]
        street = {"name": "Long Lane", "floor": None}
        given = {"prices": ["1.50", None], "street": street, "nickName": None, "pet": " cat "}
        assert await register(app, born="1990-05-17", plan="LARGE", **given) == []
        assert (saved, happened) == ([], [])
        stored = await value(app.resources.database, select(RegistrationRow.data))
        assert stored == {
            "born": "1990-05-01",
            "plan": "LARGE",
            "prices": ["1.50", None],
            "street": {"name": "Long Lane", "number": 1, "floor": None},
            "nickName": None,
            "pet": "cat",
        }
        assert await verify(app, await letterbox.link()) == []
        assert app.resources.hooks
        await app.resources.hooks.done()  # type: ignore[attr-defined]
        customer = await value(app.resources.database, select(CustomerRow.id))
    assert saved == [
        {
            "born": date(1990, 5, 1),
            "plan": Plan.LARGE,
            "prices": [Decimal("1.50"), None],
            "street": Street(name="Long Lane", floor=strawberry.Some(None), door=None),
            "nick_name": strawberry.Some(None),
            "pet": "cat",
        }
    ]
    assert [(each.name, each.customer_id, each.actor_id) for each in happened] == [
        ("customer:registered", customer, customer)
    ]


async def test_what_was_left_out_is_not_there_but_for_defaults(
    settings: Settings, letterbox: Letterbox
) -> None:
    async with details(settings) as app:
        assert await register(app, born="1990-05-01", pet="dragon") == []
        refused = await verify(app, await letterbox.link())
        assert refused == [{"code": "TOO_OLD", "field": "pet"}]
        assert await column(app.resources.database, select(CustomerRow.id)) == []
        assert await register(app, born="1990-05-01") == []
        assert await verify(app, await letterbox.link()) == []
    assert saved == [{"born": date(1990, 5, 1), "plan": Plan.SMALL}]


async def test_value_that_its_field_cannot_have_is_a_fault_of_the_feature(
    settings: Settings,
) -> None:
    async with details(settings) as app:
        for pet in ("day", "list"):
            with pytest.raises(AssertionError, match="INTERNAL_SERVER_ERROR"):
                await register(app, born="1990-05-01", pet=pet)
        assert await column(app.resources.database, select(RegistrationRow.id)) == []


async def test_fields_that_are_there_no_longer_are_left_out_and_others_have_to_fit(
    settings: Settings, letterbox: Letterbox
) -> None:
    async with graph(settings, []) as app:
        await app.data(REGISTER, input=EVE)
        token = await letterbox.link()

        async def store(data: Mapping[str, Any]) -> None:
            async with app.resources.database.transaction() as db:
                await db.execute(update(RegistrationRow).values(data=data))

        await store({"gone": 1, "born": "?"})
        async with details(settings) as changed:
            assert await verify(changed, token) == [{"code": "TOKEN_INVALID", "field": "token"}]
        assert await verify(app, token) == []
        assert await column(app.resources.database, select(CustomerRow.name)) == ["Eve"]
