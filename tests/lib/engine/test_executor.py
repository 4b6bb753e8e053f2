"""CompiledExecutor as graphql-core and Strawberry take it, and what it leaves to them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from enum import StrEnum
from functools import partial
from typing import Any, Final

import pytest
import strawberry
from graphql import (
    ExecutionHooks,
    ExecutionResult,
    GraphQLResolveInfo,
    build_schema,
    execute,
    execute_sync,
    parse,
    subscribe,
)
from graphql.execution import experimental_execute_incrementally
from graphql.pyutils import is_awaitable
from strawberry.dataloader import DataLoader
from strawberry.extensions import FieldExtension, SchemaExtension
from strawberry.permission import BasePermission, PermissionExtension

from bench.compiled_executor import CompiledExecutor
from gql_app.lib.engine import plans
from gql_app.lib.engine.execution import Execution
from gql_app.lib.engine.fields import Field

SCHEMA: Final = build_schema(
    """type Query { books: [Book!]! text: String }
    type Book { title: String author: Book }
    type Subscription { texts: String }
    input Unused { number: Int }"""
)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the operations that take the compiled path."""
    names: list[str] = []
    run = Execution.run

    def noted(self: Execution, *args: Any, **given: Any) -> Any:  # noqa: ANN401 — whatever
        names.append(self.operation.operation.value)
        return run(self, *args, **given)

    monkeypatch.setattr(Execution, "run", noted)
    return names


def test_synchronous_operation_needs_no_event_loop(planned: list[str]) -> None:
    document, root = parse("{ text }"), {"text": "t"}
    for run in (execute, execute_sync):
        assert run(SCHEMA, document, root, executor_class=CompiledExecutor) == ({"text": "t"}, None)
    assert planned == ["query"] * 2


def test_coroutine_is_not_awaited_where_everything_is_synchronous(planned: list[str]) -> None:
    begun: list[Coroutine[Any, Any, None]] = []

    def text(_info: object) -> object:
        begun.append(asyncio.sleep(0))
        return begun[-1]

    results = [
        execute_sync(SCHEMA, parse("{ text }"), {"text": text}, executor_class=kind)
        for kind in (None, CompiledExecutor)
    ]
    for each in begun:
        each.close()
    first, second = [result.errors or () for result in results]
    assert [e.message.partition(" at 0x")[0] for e in first] == [
        e.message.partition(" at 0x")[0] for e in second
    ]
    assert planned == ["query"]


def test_hooks_and_predicates_of_the_caller_are_graphql_cores(planned: list[str]) -> None:
    done: list[object] = []
    document, root = parse("{ text }"), {"text": "t"}
    given: list[dict[str, Any]] = [
        {"hooks": ExecutionHooks(async_work_finished=done.append)},
        {"is_awaitable": partial(is_awaitable)},
    ]
    for options in given:
        assert execute(SCHEMA, document, root, executor_class=CompiledExecutor, **options) == (
            {"text": "t"},
            None,
        )
    assert (len(done), planned) == (1, [])


async def test_subscription_is_graphql_cores(planned: list[str]) -> None:
    async def texts(_info: object) -> AsyncIterator[dict[str, str]]:
        yield {"texts": "t"}

    document = parse("subscription { texts }")
    events = subscribe(SCHEMA, document, {"texts": texts}, executor_class=CompiledExecutor)
    assert isinstance(events, AsyncIterator)
    assert [event async for event in events] == [({"texts": "t"}, None)]
    assert planned == []


def test_operation_is_planned_after_many_that_are_graphql_cores(planned: list[str]) -> None:
    for number in range(400):
        for word in ("subscription", "query"):
            document = parse(f"{word} {{ a{number}: __typename }}")
            execute(SCHEMA, document, {}, executor_class=CompiledExecutor)
    assert planned == ["query"] * 400


async def test_deferred_fragment_is_delivered_later(planned: list[str]) -> None:
    document = parse("{ text ... @defer { books { title } } }")
    root = {"text": "t", "books": [{"title": "b"}]}
    result: Any = experimental_execute_incrementally(
        SCHEMA, document, root, executor_class=CompiledExecutor
    )
    assert result.initial_result.data == {"text": "t"}
    rest = [each.formatted async for each in result.subsequent_results]
    assert rest[0]["incremental"][0]["data"] == {"books": [{"title": "b"}]}
    assert planned == []


def test_document_that_spreads_fragments_in_fragments_is_planned_once_for_each_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned: list[str] = []

    def noted(name: str, *given: Any) -> Field:  # noqa: ANN401 — a field's
        planned.append(name)
        return Field(name, *given)

    monkeypatch.setattr(plans, "Field", noted)
    depth = 60
    fragments = " ".join(
        f"fragment F{n} on Book {{ a: author {{ ...F{n + 1} }} b: author {{ ...F{n + 1} }} }}"
        for n in range(depth)
    )
    document = parse(f"{{ books {{ ...F0 }} }} {fragments} fragment F{depth} on Book {{ title }}")
    result = execute(SCHEMA, document, {"books": [{}]}, executor_class=CompiledExecutor)
    assert result == ({"books": [{"a": None, "b": None}]}, None)
    book: dict[str, object] = {"title": "t"}
    for _ in range(8):
        book = {"author": book, "title": "x"}
    assert execute(SCHEMA, document, {"books": [book]}, executor_class=CompiledExecutor)
    assert len(planned) < 1_000  # of which two to the sixtieth are left out


async def load(seen: list[list[str]], keys: list[str]) -> list[list[dict[str, object]]]:
    """Note a batch, and return two books for each key."""
    seen.append(list(keys))
    await asyncio.sleep(0)
    return [[{"title": f"{key}{n}"} for n in range(2)] for key in keys]


@pytest.mark.parametrize("nullable", ["", "!"])
async def test_loaders_see_whole_levels(nullable: str) -> None:
    schema = build_schema(
        f"type Query {{ books: [Book{nullable}]! }}"
        f"type Book {{ title: String! below: [Book{nullable}]{nullable} }}"
    )
    book: Any = schema.type_map["Book"]

    async def below(source: dict[str, str], info: GraphQLResolveInfo[Any]) -> object:
        return await info.context.load(source["title"])

    book.fields["below"].resolve = below
    document = parse("{ books { title below { title below { title below { title } } } } }")
    root = {"books": [{"title": "a"}, {"title": "b"}]}
    for _ in range(3):
        answers = []
        for kind in (None, CompiledExecutor):
            seen: list[list[str]] = []
            loader = DataLoader(load_fn=partial(load, seen))
            result = execute(schema, document, root, loader, executor_class=kind)
            assert not isinstance(result, ExecutionResult)
            answers.append((await result, seen))
        assert answers[0][0] == answers[1][0]
        assert answers[1][1] == [
            ["a", "b"],
            ["a0", "a1", "b0", "b1"],
            [f"{each}{n}" for each in ("a0", "a1", "b0", "b1") for n in range(2)],
        ]


class Loud(FieldExtension):
    """Makes a field's text loud."""

    def resolve(self, next_: Any, source: Any, info: Any, **given: Any) -> Any:  # noqa: ANN401 — Strawberry's
        """Return the text in capitals."""
        return next_(source, info, **given).upper()


class Counting(SchemaExtension):
    """Counts fields by their names."""

    fields: Final[list[str]] = []

    def resolve(self, _next: Any, root: Any, info: Any, *args: Any, **given: Any) -> Any:  # noqa: ANN401 — Strawberry's
        """Note the field."""
        self.fields.append(info.field_name)
        return _next(root, info, *args, **given)


class Info(strawberry.Info[Any, Any]):
    """An info of one's own."""


@strawberry.enum
class Shade(StrEnum):
    """How dark something is."""

    DARK = "dark"
    LIGHT = "light"


@strawberry.input
class Spot:
    """A place on a page."""

    line: int


class Odd(BasePermission):
    """Refuses what has an even line."""

    message = "even"

    def has_permission(self, _source: object, _info: object, **given: Any) -> bool:  # type: ignore[override]  # noqa: ANN401 — Strawberry's
        """Return whether the line is odd."""
        return bool(given["spot"].line % 2) if given.get("spot") else True


@strawberry.type
class Page:
    """A page."""

    number: int
    word: str = "word"

    @strawberry.field
    def double(self) -> int:
        """Return twice the number."""
        return 2 * self.number

    @strawberry.field
    async def half(self) -> float:
        """Return half the number."""
        return self.number / 2

    @strawberry.field
    def kind(self, info: Info, times: int = 1) -> str:
        """Return the class of what resolvers are given, and the variables."""
        return f"{type(info).__name__ * times} {sorted(info.variable_values)} {info.path.key}"

    @strawberry.field
    def told(
        self,
        word: str,
        info: Info,
        key: strawberry.ID | None = None,
        shade: Shade = Shade.DARK,
        spot: Spot | None = None,
        ids: list[int] | None = None,
    ) -> str:
        """Return what Python is given."""
        return f"{word} {key!r} {shade!r} {spot} {ids} {info.field_name}"

    @strawberry.field
    def perhaps(self, info: Info, word: strawberry.Maybe[str | None]) -> str:
        """Return what Python is given."""
        return f"{word} {info.field_name}"

    @strawberry.field(extensions=[PermissionExtension(permissions=[Odd()])])
    async def checked(
        self, info: Info, spot: Spot | None = None, shade: Shade | None = None
    ) -> str:
        """Return what Python is given."""
        return f"{spot} {shade!r} {info.field_name}"

    @strawberry.field(extensions=[Loud()])
    def loud(self) -> str:
        """Return a text."""
        return "loud"

    @strawberry.field
    @staticmethod
    def fixed() -> str:
        """Return a text that has no page."""
        return "fixed"


@strawberry.type
class Cover:
    """A cover."""

    color: str = "red"


@strawberry.type
class Query:
    """What the tests ask for."""

    @strawberry.field
    def pages(self) -> list[Page]:
        """Return pages."""
        return [Page(number=number) for number in range(40)]

    @strawberry.field
    async def leaves(self) -> list[Page | Cover]:
        """Return pages and covers."""
        return [Page(number=1), Cover(), Page(number=2)]

    @strawberry.field
    def missing(self) -> Page:
        """Return what has no number."""
        return Page.__new__(Page)


QUERY: Final = """query Q($n: Int = 2) {
  pages { number word double half kind(times: $n) loud fixed }
  leaves { __typename ... on Page { number half } ... on Cover { color } }
}"""


GIVEN: Final = [
    f"{{ pages {{ {field} }} }}"
    for field in (
        'told(word: "a")',
        'told(word: "a", key: 7, shade: LIGHT)',
        'told(word: "a", spot: {line: 1}, ids: [1, 2])',
        'told(word: "a", key: null, spot: null, ids: null)',
        'told(word: "a", ids: 3)',
        'perhaps perhaps2: perhaps(word: null) perhaps3: perhaps(word: "a")',
        "checked",
        "checked(spot: {line: 1}, shade: LIGHT)",
        "checked(spot: {line: 2})",
    )
]


@pytest.mark.parametrize("extensions", [[], [Counting]])
async def test_strawberry_answers_alike(extensions: list[type[SchemaExtension]]) -> None:
    config = strawberry.schema.config.StrawberryConfig(info_class=Info)
    schemas = [
        strawberry.Schema(Query, extensions=extensions, config=config, execution_context_class=kind)
        for kind in (None, CompiledExecutor)
    ]
    Counting.fields.clear()
    for query in (QUERY, *GIVEN, "{ missing { number } }", "{ missing { word double } }"):
        theirs, ours = [
            await schema.execute(query, operation_extensions={"x": 1}) for schema in schemas
        ]
        assert (ours.data, ours.errors) == (theirs.data, theirs.errors)
    counted = [Counting.fields.count(each) for each in ("number", "double", "color")]
    assert all(count % 2 == 0 and bool(count) == bool(extensions) for count in counted)


def test_strawberry_runs_synchronously(planned: list[str]) -> None:
    schema = strawberry.Schema(Query, execution_context_class=CompiledExecutor)
    result = schema.execute_sync("{ pages { number } }")
    assert result.data == {"pages": [{"number": number} for number in range(40)]}
    assert planned == ["query"]
