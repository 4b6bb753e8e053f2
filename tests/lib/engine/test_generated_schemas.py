"""The compiled executor and graphql-core's agree to the byte, whatever a schema's resolvers do.

The seeds are fixed, so that a run is a run; `make fuzz` tries others, and as many as one likes.
"""

import gc
from collections import Counter
from inspect import isawaitable
from typing import Any, Final
from zlib import crc32

import hypothesis.strategies as st
import pytest
from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    OperationDefinitionNode,
    execute,
    parse,
    validate,
)
from hypothesis import given

from bench.compiled_executor import CompiledExecutor
from gql_app.lib.engine import fields
from tests.fuzz.test_fuzz import tries
from tests.lib.engine.agreement import explained, told, written
from tests.lib.engine.operations import operations
from tests.lib.engine.schemas import schemas
from tests.lib.engine.virtual_time import run
from tests.lib.engine.worlds import Habits, World

TRIED: Final = {
    "synchronous": (Habits(fail=4, wait=0, nothing=6, misfit=2, at_once=0), 6, 1.0),
    "waiting": (Habits(fail=4, wait=30, nothing=6, misfit=2, at_once=0), 6, 0.9),
    "awaited at once": (Habits(fail=4, wait=30, nothing=6, misfit=2, at_once=60), 6, 0.6),
    "flawless": (Habits(fail=0, wait=20, nothing=3, misfit=0, at_once=30), 5, 0.7),
}
"""What resolvers do, how many operations they are tried with, and in how many of these, at least,
they end in one order."""


def executed(
    executor: type[Executor[Any]],
    world: World,
    document: DocumentNode,
    variables: dict[str, object],
) -> ExecutionResult:
    """Return what an executor answers, once all that it has begun has ended."""
    (operation, *_) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    root = world.root(operation)

    async def executing() -> ExecutionResult:
        result = execute(
            world.schema,
            document,
            root,
            world,
            variables,
            executor_class=executor,
        )
        if not isawaitable(result):
            return result
        assert world.habits.wait, "It is awaited, and nothing waits."
        return await result

    result, world.moment = run(executing())
    assert isinstance(result, ExecutionResult)
    return result


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # of what graphql-core cancels
@pytest.mark.parametrize("kind", TRIED)
def test_generated_operation_is_executed_alike(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    habits, count, alike = TRIED[kind]
    seen: Counter[str] = Counter()
    at_once = habits.at_once > 0

    @tries(count)
    @given(st.data(), st.integers(0, 2**32))
    def executed_alike(data: st.DataObject, seed: int) -> None:
        schema = data.draw(schemas())
        operation = data.draw(operations(schema))
        document = parse(operation.text)
        assert validate(schema, document) == []
        # Code is generated from the second object on, or never.
        monkeypatch.setattr(fields, "GENERATE_AFTER", 1000 * (seed % 3 == 0))
        for number, variables in enumerate(operation.variables):
            dice = crc32(f"{seed} {number} {operation.text}".encode())
            theirs, ours = (World(dice, habits, schema) for _ in range(2))
            expected = executed(Executor, theirs, document, variables)
            answered = executed(CompiledExecutor, ours, document, variables)
            assert written(answered) == written(expected)
            assert explained(answered) == explained(expected)
            assert ours.moment <= theirs.moment
            seen.update(all=1, data=expected.data is not None, errors=bool(expected.errors))
            if ours.ends == theirs.ends:
                assert told(answered, at_once=at_once) == told(expected, at_once=at_once)
                assert Counter(map(str, ours.calls)) == Counter(map(str, theirs.calls))
                seen["in one order"] += 1

    executed_alike()
    gc.collect()
    assert seen["in one order"] >= alike * seen["all"]
    assert seen["data"] > seen["all"] / 2
    assert seen["errors"] > seen["all"] / 10
