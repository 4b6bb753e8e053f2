"""Strawberry answers the same with the compiled executor, whatever it is asked."""

from collections import Counter
from typing import Any, Final

import pytest
import strawberry
from graphql import GraphQLSchema, build_schema
from hypothesis import given
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionResult

from bench.compiled_executor import CompiledExecutor
from gql_app.lib.engine import fields
from tests.fuzz.test_fuzz import tries
from tests.lib.engine.agreement import explained, told, written
from tests.lib.engine.operations import Operation, operations
from tests.lib.engine.strawberry_library import Leaf, Mutation, Node, Query
from tests.lib.engine.virtual_time import run


class Reversing(SchemaExtension):
    """Has a say in every field."""

    def resolve(self, _next: Any, root: Any, info: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 — it is Strawberry's signature
        """Return what a field's resolver does; names backwards."""
        value = _next(root, info, *args, **kwargs)
        return value[::-1] if info.field_name == "name" and value else value


def schema(*extensions: type[SchemaExtension], **options: Any) -> strawberry.Schema:  # noqa: ANN401 — as above
    """Return the schema, by another executor if that is among the options."""
    return strawberry.Schema(
        Query, Mutation, types=[Node, Leaf], extensions=list(extensions), **options
    )


CORE: Final[GraphQLSchema] = build_schema(schema().as_str())


def asked(of: strawberry.Schema, operation: Operation, variables: dict[str, object]) -> Any:  # noqa: ANN401 — Strawberry's result, that mypy takes for another
    """Return what a schema answers, and what its mutations note."""
    notes: list[str] = []

    async def asking() -> ExecutionResult:
        return await of.execute(operation.text, variables, notes, Query())

    result, _ = run(asking())
    return result, notes


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # of what graphql-core cancels
@pytest.mark.parametrize("extensions", [(), (Reversing,)], ids=["plain", "extended"])
def test_generated_operation_is_answered_alike(
    extensions: tuple[type[SchemaExtension], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields, "GENERATE_AFTER", 1)  # code is generated from the third object on
    theirs, ours = (
        schema(*extensions, execution_context_class=each) for each in (None, CompiledExecutor)
    )
    seen: Counter[str] = Counter()

    @tries(4)
    @given(operation=operations(CORE))
    def answered_alike(operation: Operation) -> None:
        for variables in operation.variables:
            expected, their_notes = asked(theirs, operation, variables)
            answered, our_notes = asked(ours, operation, variables)
            assert written(answered) == written(expected)
            assert explained(answered) == explained(expected)
            assert told(answered, at_once=True) == told(expected, at_once=True)
            assert our_notes == their_notes
            seen.update(all=1, data=expected.data is not None, errors=bool(expected.errors))

    answered_alike()
    assert seen["data"] > seen["all"] / 2
    assert seen["errors"] > seen["all"] / 5
