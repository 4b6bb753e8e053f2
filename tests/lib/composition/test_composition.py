"""Types of one schema, made of parts that stay as they are for others."""

from enum import StrEnum

import strawberry
from strawberry.types.base import get_object_definition

from gql_app.lib.composition import ComposedSchema, Replacements, merged_type
from gql_app.lib.engine import Schema


@strawberry.enum
class Colour(StrEnum):
    """A colour."""

    RED = "red"


@strawberry.input(name="Wish")
class Wish:
    """What is wished for."""

    name: str


@strawberry.type
class Paint:
    """A paint."""

    colour: Colour


@strawberry.type
class Shop:
    """One part."""

    @strawberry.field
    def paint(self, wish: Wish) -> Paint:
        """Return a paint, of a colour that only one schema has."""
        return Paint(colour=getattr(wish, "colour", Colour.RED))


@strawberry.type
class Office:
    """Another part."""

    @strawberry.field
    def hours(self) -> str:
        """Return when somebody is there."""
        return "9 to 5"


@strawberry.type
class Further:
    """What another schema has of a paint."""

    @strawberry.field
    def label(self) -> str:
        """Return what is on the tin."""
        return f"a tin of {self.colour}"  # type: ignore[attr-defined]  # self is the paint


def colours() -> type[StrEnum]:
    """Return the enum with another colour."""
    made: type[StrEnum] = StrEnum("Colour", [("RED", "red"), ("BLUE", "blue")])  # type: ignore[misc]  # known now
    return strawberry.enum(made)


def test_merged_type_has_the_fields_of_its_parts() -> None:
    printed = Schema(query=merged_type("Query", [Shop, Office])).as_str()
    assert "type Query {\n  paint(wish: Wish!): Paint!\n  hours: String!\n}" in printed


def test_replacements_are_of_one_schema_alone() -> None:
    more = strawberry.input(
        type("Wish", (Wish,), {"__annotations__": {"colour": str}}), name="Wish"
    )
    fields = get_object_definition(Further, strict=True).fields
    replacements = Replacements({Paint: fields}, {Wish: more}, {Colour: colours()})
    query = merged_type("Query", [Shop])
    before = Schema(query=query).as_str()
    other = ComposedSchema(query=query, fields_of=replacements.fields_of)
    document = '{ paint(wish: {name: "x", colour: "blue"}) { colour label } }'
    answer = other.execute_sync(document)
    assert answer.errors is None
    assert answer.data == {"paint": {"colour": "BLUE", "label": "a tin of blue"}}
    assert Schema(query=query).as_str() == before
    assert "BLUE" not in before
    assert {each.python_name for each in other.fields[Paint]} >= {"colour", "label"}
