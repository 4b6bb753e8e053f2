"""Nested rows: lists within rows, read for all of them at once."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult

from bench.compiled_executor import CompiledExecutor
from gql_app.lib.engine import NESTED, LazyRows, Nested

Info = strawberry.Info[Any, Any]
Rows = LazyRows[Any]
SHELVES = [("a", 2), ("b", 0), ("c", None), ("d", 1)]
"""Shelves, and how many books they hold; a shelf without a number is null."""
read: list[Sequence[object]] = []
"""The numbers that books were read by."""


@strawberry.type
class Page:
    """A page of a book."""

    number: int


async def books_of(context: list[str], keys: Sequence[int | None]) -> tuple[Rows, list[int | None]]:
    """Return so many books for each number, named by its shelf."""
    read.append(keys)
    await asyncio.sleep(0)
    if context:
        raise ValueError(*context)
    named = zip(SHELVES, keys, strict=True)
    values = [(f"{name}{i}", i) for (name, _), key in named for i in range(key or 0)]
    return LazyRows(("title", "length"), values, book, frozenset({"title", "length"})), [*keys]


async def pages_of(_: object, keys: Sequence[int | None]) -> tuple[Rows, list[int | None]]:
    """Fail."""
    read.append(keys)
    raise ValueError(keys)


def shown_to(who: str, numbers: Sequence[int | None]) -> Sequence[int | None]:
    """Return the numbers of the shelves whose books are shown."""
    return [number if who == "all" or number != 1 else None for number in numbers]


@strawberry.type
class Book:
    """A book."""

    title: str
    length: int

    @strawberry.field
    def loud(self) -> str:
        """Return the title, which an object is built for."""
        if self.title == "d0":
            raise ValueError(self.title)
        return self.title.upper()

    @strawberry.field(metadata={NESTED: Nested("length", pages_of)})
    async def pages(self, info: Info) -> list[Page] | None:
        """Return the pages, which is never called."""
        raise NotImplementedError


def book(row: Sequence[Any]) -> Book:
    """Return the book of a row."""
    title, length = row
    return Book(title=title, length=length)


@strawberry.type
class Shelf:
    """A shelf."""

    name: str
    size: int | None

    @strawberry.field(metadata={NESTED: Nested("size", books_of, shown_to)})
    async def books(self, info: Info) -> list[Book] | None:
        """Return the books, which is never called."""
        raise NotImplementedError


@strawberry.type
class Query:
    """The root."""

    @strawberry.field
    def shelves(self, who: str = "all") -> list[Shelf]:
        """Return the shelves, of which none is ever built."""
        written = frozenset({"name", "size"})
        build: Callable[..., Any] = read.index
        return LazyRows(("name", "size"), SHELVES, build, written, who)  # type: ignore[return-value]


SCHEMA = strawberry.Schema(query=Query, execution_context_class=CompiledExecutor)


@pytest.fixture(autouse=True)
def _unread() -> None:
    read.clear()


async def ask(query: str, *context: str) -> ExecutionResult:
    """Return what a query answers."""
    return await SCHEMA.execute(query, context_value=[*context])  # type: ignore[return-value]


async def test_lists_are_put_into_their_rows_by_one_reading() -> None:
    answer = await ask("{ shelves { name some: books { title __typename } } }")
    assert (answer.errors, read) == (None, [[2, 0, None, 1]])
    assert answer.data == {
        "shelves": [
            {
                "name": name,
                "some": None
                if size is None
                else [{"title": f"{name}{n}", "__typename": "Book"} for n in range(size)],
            }
            for name, size in SHELVES
        ]
    }


async def test_what_is_not_shown_is_not_read() -> None:
    answer = await ask('{ shelves(who: "some") { books { title } } }')
    assert (answer.errors, read) == (None, [[2, 0, None, None]])
    assert answer.data is not None
    assert [each["books"] and len(each["books"]) for each in answer.data["shelves"]] == [
        2, [], None, None,
    ]  # fmt: skip


async def test_error_is_at_each_row_that_was_read() -> None:
    answer = await ask('{ shelves(who: "some") { name books { title } } }', "fail")
    assert answer.data == {"shelves": [{"name": name, "books": None} for name, _ in SHELVES]}
    assert [each.path for each in answer.errors or ()] == [["shelves", n, "books"] for n in (0, 1)]


async def test_objects_are_built_where_a_resolver_looks_at_them() -> None:
    answer = await ask("{ shelves { books { loud } } }")
    assert answer.data == {
        "shelves": [{"books": b} for b in ([{"loud": "A0"}, {"loud": "A1"}], [], None, None)]
    }
    assert [each.path for each in answer.errors or ()] == [["shelves", 3, "books", 0, "loud"]]


async def test_lists_within_lists_are_read_at_once_with_errors_in_their_places() -> None:
    answer = await ask("{ shelves { books { title pages { number } } } }")
    assert read == [[2, 0, None, 1], [0, 1, 0]]
    assert [each.path for each in answer.errors or ()] == [
        ["shelves", *path, "pages"] for path in ((0, "books", 0), (0, "books", 1), (3, "books", 0))
    ]
