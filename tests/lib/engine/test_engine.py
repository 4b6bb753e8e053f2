"""The engine by a schema of its own: both paths answer alike, and errors go through the map."""

import gc
from weakref import ref

import pytest
import strawberry

from gql_app.lib.engine import Engine, OperationTimeout
from gql_app.lib.engine.execution import MAX_CACHED_VARIABLES, MAX_COMBINATIONS
from gql_app.lib.engine.fields import Field
from gql_app.lib.engine.schema import MAX_CACHED
from tests.lib.engine.library import SOON, Context, ErrorMap, Query, engine, run

BOOKS = "{ shelf { books { title } } }"
ALIKE = (
    "{ __typename }",
    BOOKS,
    "{ shelf { books { ...F } } } fragment F on Book { name: title title __typename }",
    "{ shelf { books { title firstPage } best { ... { title } } } }",
    "{ a: shelf(size: 1) { best { title } } b: shelf(size: 0) { books { title } } }",
    "query Q($n: Int! = 3) { shelf(size: $n) { books { title } } }",
    "{ shelf { best { secret } } }",
    "{ shelf { books { secret } } }",
    "{ closed }",
    "{ broken }",
    "{ shelf { best { title } } broken }",
)


def planned(context: Context) -> bool:
    """Return whether the operation was compiled."""
    return any(context.document.plans.values())


@pytest.mark.parametrize("query", ALIKE)
async def test_both_paths_answer_alike(query: str) -> None:
    (compiled, _), (executed, context) = [
        await run(engine(compiled=each), query) for each in (True, False)
    ]
    assert compiled.formatted == executed.formatted
    assert not planned(context)


@pytest.mark.parametrize(
    "query", ["{ shelf { best { secret } } }", "{ shelf { books { secret } } }"]
)
async def test_permission_of_an_attribute_is_asked(query: str) -> None:
    for compiled in (True, False):
        result, context = await run(engine(compiled=compiled), query)
        assert result.data is None
        assert {error.message for error in result.errors or ()} == {"Nobody may."}
        assert planned(context) == compiled


async def test_permission_that_refuses_without_raising_is_obeyed() -> None:
    result, context = await run(engine(), "{ closed }")
    assert planned(context)
    assert [error.message for error in result.errors or ()] == ["Nobody may."]


async def test_rows_are_built_only_where_somebody_looks_at_them() -> None:
    for compiled, built in ((True, []), (False, ["Book 0", "Book 1"])):
        result, context = await run(engine(compiled=compiled), BOOKS)
        assert result.data == {"shelf": {"books": [{"title": "Book 0"}, {"title": "Book 1"}]}}
        assert context.built == built


async def test_field_that_fails_cancels_its_siblings_and_awaits_them() -> None:
    result, context = await run(engine(), "{ endless broken }")
    assert planned(context)
    assert (result.data, context.cancelled) == (None, ["endless"])


@pytest.mark.parametrize("compiled", [True, False])
async def test_late_operation_is_mapped_once_as_begun(*, compiled: bool) -> None:
    errors = ErrorMap()
    result, context = await run(
        engine(compiled=compiled, timeout=SOON, map_errors=errors), "query Late { endless }"
    )
    assert result.data is None
    assert errors.calls == [([OperationTimeout], True)]
    assert (context.operation, context.kind, context.cancelled) == ("Late", "query", ["endless"])


async def test_errors_are_mapped_by_whether_the_operation_was_begun() -> None:
    errors = ErrorMap()
    for query in (
        "{",
        "{ nothing }",
        "{ broken }",
        "query Q($n: Int!) { shelf(size: $n) { __typename } }",
    ):
        await run(engine(map_errors=errors), query)
    assert [executed for _, executed in errors.calls] == [False, False, True, True]
    assert errors.calls[2] == ([ValueError], True)


@pytest.mark.parametrize("kind", [ValueError, TimeoutError])
async def test_error_of_no_field_is_that_of_a_begun_operation(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise kind

    errors = ErrorMap()
    monkeypatch.setattr(Engine, "_run", fail)
    await run(engine(map_errors=errors), "{ __typename }")
    assert errors.calls == [([kind], True)]


async def test_selection_is_worked_out_through_fragments_directives_and_aliases() -> None:
    query = """query Q($no: Boolean = false) {
      shelf { a: books { title @include(if: $no) } ... @skip(if: $no) { b: books { ...F } } }
    } fragment F on Book { firstPage __typename }"""
    for compiled in (True, False):
        _, context = await run(engine(compiled=compiled), query)
        assert context.selected == [{"title", "first_page"}]


async def test_caches_of_a_document_are_bounded() -> None:
    one, number = engine(), 2 * MAX_CACHED
    fields = " ".join(f"a{n}: shelf(size: $n) {{ books {{ title }} }}" for n in range(number))
    query = f"query Q($n: Int = 1) {{ {fields} }}"
    for size in range(3 * MAX_CACHED_VARIABLES):
        result, context = await run(one, query, {"n": size})
        assert len((result.data or {})["a1"]["books"]) == size
        assert context.selected == [{"title"}] * number
        assert len(context.document.selections) <= MAX_CACHED


async def test_variables_are_coerced_each_time_unless_they_are_small() -> None:
    query = """query Q($name: String!, $n: Int) {
      __type(name: $name) { name } shelf(size: $n) { __typename }
    }"""
    one = engine()
    asked: list[tuple[dict[str, object], str]] = [
        ({}, "Variable '$name'"),
        ({"name": "Book", "n": 1}, ""),
        ({"name": "Shelf", "n": 1}, ""),
        ({"name": "Book", "n": "x"}, "Variable '$n'"),
        ({"name": "Nothing"}, ""),
    ]
    for variables, message in asked:
        answers = [
            (await run(each, query, variables))[0].formatted
            for each in (one, engine(compiled=False))
        ]
        assert answers[0] == answers[1]
        assert message in str(answers[0].get("errors", ""))


async def test_equal_variables_of_another_type_are_no_small_ones_again() -> None:
    one, query = engine(), "query Q($n: Int) { shelf(size: $n) { books { title } } }"
    for value in (1, True, 1.0, 1, True):
        answers = [
            (await run(each, query, {"n": value}))[0].formatted
            for each in (one, engine(compiled=False))
        ]
        assert answers[0] == answers[1]
        assert ("errors" in answers[0]) == (value is True)


async def test_plans_of_a_document_are_bounded() -> None:
    one, names = engine(), [f"v{number}" for number in range(5)]
    fields = " ".join(f"a{name}: __typename @include(if: ${name})" for name in names)
    query = f"query Q({' '.join(f'${name}: Boolean!' for name in names)}) {{ {fields} }}"

    async def ask_all() -> int:
        for number in range(2 ** len(names)):
            given = {name: bool(number & 1 << bit) for bit, name in enumerate(names)}
            result, _ = await run(one, query, given)
            assert list(result.data or {}) == [f"a{name}" for name in names if given[name]]
        gc.collect()
        return sum(isinstance(each, Field) for each in gc.get_objects())

    gc.collect()
    gc.freeze()  # so that only what is new is looked at, not a million objects of other tests
    first = await ask_all()
    assert 0 < first <= MAX_COMBINATIONS * len(names)
    assert [await ask_all() for _ in range(2)] == [first, first]
    assert 2 ** len(names) > MAX_COMBINATIONS


async def test_nothing_of_a_request_is_kept_with_its_plan() -> None:
    class Text(str):
        """A text that can be referred to weakly."""

        __slots__ = ("__weakref__",)

    one, query = engine(), "query Q($name: String!) { __type(name: $name) { name } }"
    for _ in range(2):
        name = Text("Book")
        seen, context = await run(one, query, {"name": name})
        assert seen.data == {"__type": {"name": "Book"}}
        references = ref(name), ref(context)
        del name, seen, context
        gc.collect()
        assert [each() for each in references] == [None, None]


@pytest.mark.parametrize("compiled", [True, False])
async def test_what_takes_one_of_is_told_beside_strawberry(*, compiled: bool) -> None:
    ours = engine(compiled=compiled)
    strawberry.Schema(query=Query)  # whose resolver fails on a list
    asked = "{ __schema { types { fields { type { isOneOf } } } } }"
    result, _ = await run(ours, asked)
    assert result.errors is None
