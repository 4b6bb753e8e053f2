"""Directives: a field prints those of its permissions, however the schema reaches its type."""

import re
from typing import Annotated, Generic, TypeVar
from uuid import UUID

import strawberry
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gql_app import (
    Customer,
    Feature,
    HasPermission,
    Info,
    Payload,
    connection,
    extend,
    mutation,
    nested,
    node,
)
from gql_app.extending.merging import parts_of
from gql_app.schema.root import build_schema

T = TypeVar("T")
GUARDED = [HasPermission("way:go")]


class Base(DeclarativeBase):
    """The tables of this test."""


class WayRow(Base):
    """A row of all nodes."""

    __tablename__ = "ways"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)


class OtherRow(Base):
    """A row of a node that no list has."""

    __tablename__ = "other_ways"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


@strawberry.interface
class ByInterface:
    """A type that only its implementation names."""

    inherited: str = strawberry.field(permission_classes=GUARDED)


@strawberry.type
class ByImplementation(ByInterface):
    """A type of Feature.types."""

    own: str = strawberry.field(permission_classes=GUARDED)


@strawberry.type
class ByUnion:
    """A member of a union."""

    way: str = strawberry.field(permission_classes=GUARDED)


@strawberry.type
class ByOtherMember:
    """Another member of a union."""

    way: str = strawberry.field(permission_classes=GUARDED)


@strawberry.type
class Generally(Generic[T]):
    """A generic type."""

    way: T = strawberry.field(permission_classes=GUARDED)


@strawberry.type
class ByType:
    """A type of a type's field, with a field of each kind."""

    way: str = strawberry.field(permission_classes=GUARDED)
    some: list[Annotated[ByUnion | ByOtherMember, strawberry.union("ByName")]]

    @strawberry.field(permission_classes=GUARDED)
    def resolved(self) -> str:
        """Return a text."""
        return "way"

    @strawberry.field(permission_classes=GUARDED)
    async def later(self, info: Info) -> Generally[int]:  # noqa: ARG002 — as Strawberry passes it
        """Return a generic type's value."""
        return Generally(way=1)


@strawberry.type
class ByNested:
    """A node of a nested list."""

    id: strawberry.ID
    name: str | None = strawberry.field(permission_classes=GUARDED)


@strawberry.type
class ByConnection:
    """A node of a connection."""

    id: strawberry.ID
    name: str | None = strawberry.field(permission_classes=GUARDED)
    inner = nested(ByNested, WayRow, by=WayRow.id, order_by="id", limit=1)


@strawberry.type
class ByNode:
    """A type of Feature.nodes."""

    id: strawberry.ID
    name: str | None = strawberry.field(permission_classes=GUARDED)


@strawberry.type
class ByExtension:
    """A type that only an extension's field has."""

    way: str = strawberry.field(permission_classes=GUARDED)


@extend(Customer)
class Further:
    """A field of ours."""

    @strawberry.field(permission_classes=GUARDED)
    def by_extension(self) -> ByExtension | None:
        """Return nothing."""


@strawberry.type
class ByPayload(Payload):
    """A payload."""

    way: str | None = strawberry.field(permission_classes=GUARDED, default=None)


@strawberry.type
class Ways:
    """Queries."""

    by_connection = connection(ByConnection, WayRow, order_by=["id"])

    @strawberry.field(permission_classes=GUARDED)
    def by_field(self) -> list[ByType]:
        """Return nothing."""
        return []


@strawberry.type
class Going:
    """Mutations."""

    @mutation(ByPayload, "Goes.")
    async def go(self, info: Info) -> ByPayload:  # noqa: ARG002 — as Strawberry passes it
        """Return a payload."""
        return ByPayload.success("Gone.")


FIELDS = {
    "Query.byField",
    "Customer.byExtension",
    *(f"ByType.{name}" for name in ("way", "resolved", "later")),
    *(f"{name}.inherited" for name in ("ByInterface", "ByImplementation")),
    "ByImplementation.own",
    *(f"{name}.name" for name in ("ByConnection", "ByNested", "ByNode")),
    *(f"{name}.way" for name in ("ByUnion", "ByOtherMember", "ByExtension", "ByPayload")),
    "IntGenerally.way",
}
"""Each field of this feature that requires its permission."""


def test_each_field_prints_the_permission_that_it_requires() -> None:
    feature = Feature(
        "ways",
        queries=[Ways],
        mutations=[Going],
        types=[ByImplementation],
        nodes=[node(ByNode, OtherRow)],
        extensions=[Further],
    )
    faults: list[str] = []
    printed = str(build_schema(parts_of([feature], faults).additions))
    assert faults == []
    found, kind = set(), ""
    for line in printed.splitlines():
        if opened := re.match(r"(?:type|interface) (\w+)", line):
            kind = opened[1]
        elif '@requires(permission: "way:go")' in line:
            found.add(f"{kind}.{line.split()[0].rstrip(':').partition('(')[0]}")
    assert found == FIELDS
