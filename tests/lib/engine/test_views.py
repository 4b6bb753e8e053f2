"""Views: contexts of their own for what is below some fields."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import strawberry

from bench.compiled_executor import CompiledExecutor
from gql_app.lib.engine import NESTED, LazyRows, Nested, Schema


class Viewer:
    """A context with a name, and the views of a request."""

    def __init__(self, name: str) -> None:
        """Take the name."""
        self.name = name
        self.views: dict[tuple[object, ...], Viewer] = {}


Info = strawberry.Info[Viewer, None]
Lists = tuple[LazyRows[Any], Sequence[int | None]]


async def names_of(context: Viewer, keys: Sequence[str]) -> Lists:
    """Return for each key a list of one row, with the name of the context."""
    await asyncio.sleep(0)
    found = [(context.name,) for _ in keys]
    leaves = LazyRows(("name",), found, lambda row: Leaf(name=row[0]), frozenset({"name"}))
    return leaves, [1] * len(keys)


@strawberry.type
class Leaf:
    """An object without any."""

    name: str


@strawberry.type
class Row:
    """An object whose lists are read for all rows at once."""

    key: str

    @strawberry.field(metadata={NESTED: Nested("key", names_of)})
    async def leaves(self, info: Info) -> list[Leaf] | None:
        """Return the list of one object."""
        return [*(await names_of(info.context, [self.key]))[0]]


@strawberry.type
class Place:
    """A place in the answer."""

    @strawberry.field
    async def name(self, info: Info) -> str:
        """Return the context's name, when others have begun."""
        await asyncio.sleep(0)
        return info.context.name

    @strawberry.field
    def as_name(self, info: Info, name: str) -> "Place":
        """Return a place of which what is below is seen as by a name."""
        info.context.views[tuple(info.path.as_list())] = Viewer(name)
        return Place()

    @strawberry.field
    def places(self) -> list["Place"]:
        """Return places that look alike."""
        return [Place(), Place()]

    @strawberry.field
    def rows(self) -> list[Row]:
        """Return rows, of which objects are built by graphql-core alone."""
        read = [("a",), ("b",)]
        return LazyRows(("key",), read, lambda row: Row(key=row[0]), frozenset({"key"}))  # type: ignore[return-value]


@strawberry.type
class Query(Place):
    """The root, which is a place."""


DOCUMENT = """{
    name
    a: asName(name: "a") {
        name
        places { name b: asName(name: "b") { name rows { leaves { name } } } }
        rows { leaves { name } }
    }
    b: asName(name: "c") { places { name } b: name }
    last: name
    rows { leaves { name } }
}"""


def rows(name: str) -> list[dict[str, Any]]:
    """Return two rows as a context of this name sees them."""
    return [{"leaves": [{"name": name}]}] * 2


@pytest.mark.parametrize("executor", [CompiledExecutor, None])
async def test_each_field_has_the_context_of_the_innermost_view(
    executor: type[CompiledExecutor] | None,
) -> None:
    schema = Schema(query=Query, execution_context_class=executor)
    answer = await schema.execute(DOCUMENT, context_value=Viewer("nobody"))
    assert answer.errors is None
    place = {"name": "a", "b": {"name": "b", "rows": rows("b")}}
    assert answer.data == {
        "name": "nobody",
        "a": {"name": "a", "places": [place, place], "rows": rows("a")},
        "b": {"places": [{"name": "c"}] * 2, "b": "c"},
        "last": "nobody",
        "rows": rows("nobody"),
    }
