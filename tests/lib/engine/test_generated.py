"""Generated functions: what a client sends goes into them as constants, never as code."""

from types import SimpleNamespace
from typing import Final

import pytest
from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLString,
    NameNode,
)

from gql_app.lib.engine.fields import Field, leaf
from gql_app.lib.engine.generated import object_function
from gql_app.lib.engine.rows import row_writer

HOSTILE: Final = (
    '"',
    "'}; raise SystemExit",
    "N0",
    "source",
    "{source}",
    "\\",
    "\n x",
    "a\0b",
    "é",
)
"""Names that the parser refuses, and that a function is made of all the same."""
KIND: Final = GraphQLObjectType("Book", {"title": GraphQLField(GraphQLString)})

DETAILS: Final = [SimpleNamespace(node=FieldNode(name=NameNode(value="title")))]
"""What selects the field, as graphql-core has it."""
TITLE: Final = frozenset({"title"})


def field(name: str, attribute: str) -> Field:
    """Return a text that is an attribute."""
    made = Field(name, DETAILS, KIND.fields["title"], KIND)
    made.complete, made.exact = leaf(GraphQLString), str
    made.attribute, made.run = attribute, made.read
    return made


@pytest.mark.parametrize("attribute", ["title", "execution", "__x"])
def test_whatever_a_field_is_called_is_a_constant(attribute: str) -> None:
    run = object_function([field(name, attribute) for name in HOSTILE])
    source = SimpleNamespace(**{attribute: "text"})
    assert run(None, source, None) == dict.fromkeys(HOSTILE, "text")  # type: ignore[arg-type]


def test_whatever_a_column_is_called_is_a_constant() -> None:
    fields = [field(name, "title") for name in HOSTILE]
    write = row_writer(fields, ["id", "title"], TITLE)
    assert write is not None
    assert write([(1, "a"), (2, "b")]) == [dict.fromkeys(HOSTILE, text) for text in ("a", "b")]


def test_rows_are_written_only_of_columns_that_were_read_as_json_has_them() -> None:
    assert row_writer([], ["title"], TITLE) is None
    assert row_writer([field("a", "title")], ["id"], TITLE - {"title"}) is None
    number = Field("n", DETAILS, GraphQLField(GraphQLNonNull(GraphQLInt)), KIND)
    number.attribute, number.run = "title", number.read
    assert row_writer([number], ["title"], frozenset({"id"})) is None
    assert row_writer([number], ["title"], TITLE) is not None
    number.run = number.call
    assert row_writer([field("a", "title"), number], ["title"], TITLE) is None
