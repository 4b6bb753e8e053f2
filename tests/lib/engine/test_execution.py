"""The executor answers as graphql-core does, whatever resolvers return."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import pytest
from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    execute,
    parse,
)

from bench.compiled_executor import CompiledExecutor
from gql_app.lib.engine import fields
from tests.lib.engine.both import (
    SEEN,
    VALUES,
    Late,
    Plain,
    Value,
    both,
    later,
    returning,
    said,
    schema,
)

FIELDS: Final = (
    "text",
    "book { name pages id }",
    "book { need name }",
    "bookNeed { name pages }",
    "books { name pages id }",
    "booksNeed { id name }",
    "thing { __typename ... on Book { name } ... on Lamp { id watts } }",
    "things { __typename ... on Named { name } ... on Lamp { id watts } }",
    "named { name __typename }",
)
NULLABLE: Final = (
    "color", "even", "class", "rating", "isNew", "tags", "grid", "self { name }",
    "things { __typename }", "greet",
)  # fmt: skip
NEEDED: Final = ("need", "selfNeed { name }", "pages", "id")
BELOW: Final = (*NULLABLE, *NEEDED)
TOGETHER: Final = (NULLABLE, *[(each,) for each in NEEDED])
"""The selections of a book, together where no one's error takes the book with the others."""
FRAGMENTS: Final = """query Q($a: Boolean!) { ...F @include(if: $a) ... @skip(if: $a) { text } }
fragment F on Query { book { ... on Named @include(if: $a) { name } id } }"""
GENERATE_AFTER: Final = 2
ROWS: Final = 4
"""Objects enough that a function is generated for the last of them, and not for the first."""


@pytest.fixture(autouse=True)
def generated_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generate functions after fewer objects, as rows are most of the tests' time."""
    monkeypatch.setattr(fields, "GENERATE_AFTER", GENERATE_AFTER)


@pytest.mark.parametrize("value", VALUES)
async def test_whatever_the_root_returns_is_answered_alike(value: str) -> None:
    for selected in FIELDS:
        name = selected.split()[0]
        theirs, ours = await both(f"{{ {selected} }}", returning(name, VALUES[value]))
        assert ours == theirs, selected


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("keyed", [True, False])
async def test_whatever_an_attribute_is_is_answered_alike(value: str, *, keyed: bool) -> None:
    def rows(selected: tuple[str, ...]) -> list[object]:
        given = [
            {"name": f"{number}", "type": "Book", **attributes(selected, value, number)}
            for number in range(ROWS)
        ]
        return [each if keyed else Plain(**each) for each in given]

    for selected in TOGETHER:
        for place in ("books", "named")[: 1 + keyed]:
            query = f"{{ {place} {{ name ... on Book {{ {' '.join(selected)} x: name echo }} }} }}"
            theirs, ours = await both(query, returning(place, partial(rows, selected)))
            assert ours == theirs, query


def attributes(selected: tuple[str, ...], value: str, number: int) -> dict[str, object]:
    """Return the fields of an object: this value in the first and the last, and null otherwise."""
    make = VALUES[value] if number in {0, ROWS - 1} else VALUES["null"]
    return {each.split()[0]: make() for each in selected}


@pytest.fixture
def read_schema(monkeypatch: pytest.MonkeyPatch) -> GraphQLSchema:
    """Return a schema whose plans read a book's attributes, as those of Strawberry's types do."""
    made = schema()
    book = made.type_map["Book"]
    assert isinstance(book, GraphQLObjectType)
    for name, field in book.fields.items():
        if not (field.resolve or field.args):
            field.resolve = partial(read, name)

    def simplified(field: GraphQLField) -> Value:
        known = isinstance(field.resolve, partial)
        return (field.resolve.args[0] if known else None), None, None  # type: ignore[union-attr]

    monkeypatch.setattr("bench.compiled_executor._simplify", lambda _executor: simplified)
    return made


def read(name: str, source: object, _info: GraphQLResolveInfo[Any]) -> object:
    """Return an attribute. Raises AttributeError if there is none."""
    return getattr(source, name)


@pytest.mark.parametrize("value", VALUES)
async def test_whatever_a_plan_reads_is_answered_alike(
    value: str, read_schema: GraphQLSchema
) -> None:
    def rows(selected: tuple[str, ...]) -> list[object]:
        given = [attributes(selected, value, number) for number in range(ROWS)]
        return [Plain(name="n", **each) for each in given]

    for selected in TOGETHER:
        query = f"{{ books {{ {' '.join(selected)} x: name echo }} }}"
        root = returning("books", partial(rows, selected))
        theirs, ours = await both(query, root, schema=read_schema)
        assert ours == theirs, query


@pytest.mark.parametrize("value", VALUES)
async def test_whatever_an_item_after_many_is_is_answered_alike(
    value: str, read_schema: GraphQLSchema
) -> None:
    def rows(_did: list[str]) -> object:
        return {"many": [*(Plain(name="n") for _ in range(ROWS)), VALUES[value]()]}

    theirs, ours = await both("{ many { name __typename } }", rows, schema=read_schema)
    assert ours == theirs


@pytest.mark.parametrize("row", ["slotted", "dictionary", "mapping", "class", "dynamic"])
@pytest.mark.parametrize("place", ["books", "many"])
async def test_attribute_that_cant_be_read_is_answered_alike(
    place: str, row: str, read_schema: GraphQLSchema
) -> None:
    for selected in BELOW:
        query = f"{{ {place} {{ __typename {selected} }} }}"
        root = {place: [VALUES[row]() for _ in range(ROWS)]}
        theirs, ours = await both(query, partial(_same, root), schema=read_schema)
        assert ours == theirs, query


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query Q($a: Boolean!) { text @include(if: $a) book { name @skip(if: $a) id } }", {}),
        ("query Q($a: Boolean = true) { text @include(if: $a) }", {}),
        (FRAGMENTS, {}),
        ("query Q($a: Boolean!, $b: Boolean!) { text @include(if: $a) @skip(if: $b) }",
         {"b": False}),
    ],
)  # fmt: skip
async def test_directives_are_decided_for_each_value(query: str, variables: dict[str, Any]) -> None:
    document = parse(query)
    for value in (True, False, True, None):
        given = {"a": value, **variables}
        theirs, ours = await both(
            query, lambda _: {"text": "t", "book": {"name": "n", "id": "i"}}, given,
            document=document,
        )  # fmt: skip
        assert ours == theirs


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ('(filter: {title: "x"}, even: 2, list: [1, 2])', {}),
        ('(filter: {title: "x", size: 1})', {}),
        ("(filter: {title: $t})", {"t": None}),
        ("(filter: {title: $t}, list: $l)", {"t": "y", "l": [3]}),
        ("(list: $l)", {"l": 5}),
        ("(list: $l)", {}),
        ("(unknown: 1)", {}),
        ("(list: [$i])", {"i": None}),
        ("(list: [$i])", {"i": "x"}),
    ],
)
async def test_arguments_are_coerced_alike(arguments: str, variables: dict[str, Any]) -> None:
    query = f"query Q($t: String, $l: [Int!], $i: Int) {{ echo{arguments} text }}"
    given: list[dict[str, Any]] = [{}, {"hide_suggestions": True}, {"max_coercion_errors": 0}]
    for options in given:
        theirs, ours = await both(query, lambda _: {"text": "t"}, variables, **options)
        assert ours == theirs


def nested(did: list[str]) -> object:
    """Return a root with resolvers of every kind, which note that they began and ended."""

    def noted(name: str, value: object, turns: int) -> Value:
        async def resolve(_info: GraphQLResolveInfo[Any]) -> object:
            did.append(f"{name} begins")
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
            except asyncio.CancelledError:
                did.append(f"{name} is cancelled")
                raise
            did.append(f"{name} ends")
            if isinstance(value, Exception):
                raise value
            return value

        return resolve

    book: dict[str, object] = {
        "name": "n",
        "late": noted("late", "l", 3),
        "lateNeed": noted("lateNeed", ValueError("late"), 1),
        "need": None,
    }
    book |= {"self": noted("self", dict(book), 1), "selfNeed": noted("selfNeed", dict(book), 2)}
    return {
        "book": book,
        "books": [book, None, Late(book)],
        "booksNeed": [book],
        "slow": noted("slow", "s", 9),
    }


def _same(root: object, _did: list[str]) -> object:
    return root


@pytest.mark.parametrize(
    "query",
    [
        "{ book { lateNeed } }",
        "{ book { late lateNeed name } slow }",
        "{ book { late need } slow }",
        "{ book { self { lateNeed } name } }",
        "{ book { selfNeed { lateNeed late } late } slow }",
        "{ books { late name } }",
        "{ books { lateNeed } slow }",
        "{ booksNeed { late lateNeed } slow }",
        "{ book { self { self { late } } } }",
        "query @experimental_disableErrorPropagation { book { lateNeed need late } }",
    ],
)
async def test_null_goes_up_and_cancels_alike(query: str) -> None:
    theirs, ours = await both(query, nested)
    await asyncio.sleep(0)
    assert (ours.data, ours.errors) == (theirs.data, theirs.errors)
    assert sorted(ours.did) == sorted(theirs.did)


async def test_mutations_are_executed_one_after_the_other() -> None:
    def root(did: list[str]) -> Mapping[str, object]:
        def noted(name: str, value: object, turns: int) -> Value:
            async def resolve(_info: object) -> object:
                did.append(f"{name} begins")
                for _ in range(turns):
                    await asyncio.sleep(0)
                did.append(f"{name} ends")
                if isinstance(value, Exception):
                    raise value
                return value

            return resolve

        return {
            "first": noted("first", {"name": noted("below", "n", 2)}, 3),
            "second": noted("second", "s", 0),
            "third": noted("third", ValueError("third"), 1),
            "fourth": noted("fourth", "f", 0),
        }

    for query in (
        "mutation { first { name } second fourth }",
        "mutation { second first { name } a: second third fourth }",
        "mutation { second a: second }",
        "mutation { second @skip(if: true) }",
    ):
        theirs, ours = await both(query, root)
        assert ours == theirs


async def test_type_resolver_of_the_caller_is_called() -> None:
    query, thing = "{ thing { __typename } }", {"thing": {"name": "x"}}
    theirs, ours = await both(query, lambda _: thing, type_resolver=lambda *_: "Book")
    assert ours == theirs


async def test_unknown_operation_and_root_are_told_alike() -> None:
    for query, name in (
        ("query A { text } query B { text }", None),
        ("query A { text }", "B"),
        ("subscription { text }", None),
        ("fragment F on Query { text }", None),
        ("{ nothing text }", None),
        ("{ ...Unknown text }", None),
    ):
        theirs, ours = await both(query, lambda _: {"text": "t"}, operation_name=name)
        assert ours == theirs


async def test_resolvers_of_siblings_do_not_see_each_others_context() -> None:
    async def name(info: GraphQLResolveInfo[Any]) -> str:
        before = SEEN.get()
        SEEN.set(str(info.path.as_list()))
        return before

    query = "{ books { name } }"
    document = parse(query)
    for _ in range(4):
        theirs, ours = await both(
            query, lambda _: {"books": [{"name": name} for _ in range(5)]}, document=document
        )
        assert ours == theirs


async def test_awaitables_that_are_there_at_once_may_suspend_the_next_time() -> None:
    query = "{ books { name late } }"
    document = parse(query)
    for turns in ((0, 0, 0), (0, 0, 0), (0, 2, 0), (1, 0, 3), (0, 0, 0)):
        books = [{"name": later(f"{each}", each), "late": "l"} for each in turns]
        theirs, ours = await both(
            query, returning("books", partial(list, books)), document=document
        )
        assert ours == theirs


async def test_operation_that_is_cancelled_cancels_its_resolvers() -> None:
    for query in ("{ slow }", "{ slow book { late } }", "{ books { late } }"):
        did: list[str] = []
        root = nested(did)
        answer = said(query, partial(_same, root), executor_class=CompiledExecutor)
        task = asyncio.ensure_future(answer)
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ended = [line for line in did if not line.endswith("begins")]
        assert len(ended) == len(did) - len(ended) > 0
        assert all(line.endswith("is cancelled") for line in ended)


async def test_scalar_that_waits_is_awaited() -> None:
    books = [{"name": f"{number}", "even": number} for number in (2, 100, 3, 100)]
    for _ in range(2):
        theirs, ours = await both(
            "{ book { even } books { name even } }", lambda _: {"book": books[1], "books": books}
        )
        assert ours == theirs


async def test_schema_without_mutations_is_told_alike() -> None:
    for query in ("mutation { text }", "{ text }"):
        theirs, ours = await both(
            query, lambda _: {"text": "t"}, schema=build_schema("type Query { text: String }")
        )
        assert ours == theirs


async def test_error_keeps_its_extensions_and_its_cause() -> None:
    cause = GraphQLError("ours", extensions={"code": "X"})
    theirs, ours = await both("{ a: text b: text }", lambda _: {"text": cause})
    assert ours == theirs
    assert [error["extensions"] for error in ours.errors] == [{"code": "X"}] * 2


def test_each_object_has_a_list_argument_of_its_own() -> None:
    schema = build_schema("type Query { all: [Item!]! } type Item { added(to: [Int!]!): [Int!]! }")
    items: dict[str, Value] = {"all": [{}, {}]}

    def added(_: object, __: GraphQLResolveInfo[Any], to: list[int]) -> list[int]:
        to.append(2)
        return to

    assert isinstance(schema.type_map["Item"], GraphQLObjectType)
    schema.type_map["Item"].fields["added"].resolve = added
    document = parse("{ all { added(to: [1]) } }")
    answer = execute(schema, document, items, executor_class=CompiledExecutor)
    assert answer == ({"all": [{"added": [1, 2]}] * 2}, None)
