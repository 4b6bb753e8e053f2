"""A cancellation of what a resolver awaits fails a field; that of the operation ends it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import strawberry
from graphql import ExecutionResult

from gql_app.lib.engine import Engine, OperationTimeout, Schema
from gql_app.lib.faults import WorkCancelled
from tests.lib.engine.library import LIMITS, SIZES, SOON, Context, ErrorMap, run
from tests.processes import PATIENCE

Null = str | None


async def cancelled_task() -> asyncio.Task[str]:
    """Return a task that is cancelled."""

    async def wait() -> str:
        await asyncio.Event().wait()
        return "never"

    task = asyncio.create_task(wait())
    task.cancel()
    await asyncio.wait([task])
    return task


async def fail() -> str:
    """Await a task that is cancelled."""
    return await (await cancelled_task())


async def streamed() -> AsyncIterator[Null]:
    """Yield a text, and then await a task that is cancelled."""
    yield "a"
    yield await fail()


@strawberry.interface
class Named:
    """What has a name."""

    name: str = "named"


@strawberry.type
class Thing(Named):
    """An object with a field that fails at once, and one that fails later."""

    task: strawberry.Private[asyncio.Task[str]]

    @strawberry.field
    def at_once(self) -> Null:
        """Return the result of a task that is cancelled."""
        return self.task.result()

    @strawberry.field
    async def later(self) -> Null:
        """Await a task that is cancelled."""
        return await self.task

    @strawberry.field
    async def required(self) -> str:
        """Await a task that is cancelled."""
        return await self.task


@strawberry.type
class Query:
    """The root fields."""

    @strawberry.field
    async def text(self) -> Null:
        """Return a text, after a turn of the event loop."""
        await asyncio.sleep(0)
        return "text"

    @strawberry.field
    async def thing(self) -> Thing | None:
        """Return a thing."""
        return Thing(task=await cancelled_task())

    @strawberry.field
    async def things(self, size: int = 2) -> list[Thing]:
        """Return things."""
        return [Thing(task=await cancelled_task()) for _ in range(size)]

    @strawberry.field
    async def named(self) -> list[Named | None]:
        """Return things of which one is awaited, and that fails."""
        return [Thing(task=await cancelled_task()), fail()]  # type: ignore[list-item]

    @strawberry.field
    def items(self) -> list[Null] | None:
        """Return items of which one fails."""
        return ["a", fail(), "c"]  # type: ignore[list-item]

    @strawberry.field
    def streamed(self) -> list[Null] | None:
        """Return an async iterable, which fails."""
        return streamed()  # type: ignore[return-value]

    @strawberry.field
    async def itself(self) -> Null:
        """Cancel the task that executes the field."""
        task = asyncio.current_task()
        assert task
        task.cancel()
        await asyncio.Event().wait()
        return "never"

    @strawberry.field
    async def endless(self, info: strawberry.Info[Context, None]) -> Null:
        """Wait forever, and note the cancellation."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            info.context.cancelled.append("endless")
            raise
        return "never"

    @strawberry.field
    async def again(self) -> Null:
        """Wait forever; if the task is cancelled, cancel it once more."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task
            task.cancel()
            raise
        return "never"


SCHEMA: Final = Schema(query=Query, types=[Thing])


def engine(*, compiled: bool, timeout: float = PATIENCE) -> Engine[Context]:
    """Return an engine of the schema."""
    return Engine(SCHEMA, LIMITS, SIZES, ErrorMap(), timeout=timeout, compiled=compiled)


def failed(result: ExecutionResult) -> list[tuple[Any, type[object]]]:
    """Return the paths of a result's errors, and their causes."""
    errors = result.errors or ()
    return sorted((error.path, type(error.original_error)) for error in errors)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("fields", "thing", "fail"),
    [
        ("name later", {"name": "named", "later": None}, ["later"]),
        ("atOnce name", {"atOnce": None, "name": "named"}, ["atOnce"]),
        ("later atOnce", {"later": None, "atOnce": None}, ["atOnce", "later"]),
        ("required", None, ["required"]),
    ],
)
async def test_cancelled_work_fails_its_field_alone(
    fields: str, thing: object, fail: list[str], *, compiled: bool
) -> None:
    result, _ = await run(engine(compiled=compiled), f"{{ text thing {{ {fields} }} }}")
    assert result.data == {"text": "text", "thing": thing}
    assert failed(result) == [(["thing", name], WorkCancelled) for name in fail]


@pytest.mark.parametrize("compiled", [True, False])
async def test_cancelled_item_of_a_list_is_null(*, compiled: bool) -> None:
    query = "{ items streamed text named { name } }"
    result, _ = await run(engine(compiled=compiled), query)
    items, named = ["a", None, "c"], [{"name": "named"}, None]
    assert result.data == {"items": items, "streamed": None, "text": "text", "named": named}
    paths: list[list[Any]] = [["items", 1], ["named", 1], ["streamed"]]
    assert failed(result) == [(path, WorkCancelled) for path in paths]


@pytest.mark.parametrize("compiled", [True, False])
async def test_cancelled_work_of_many_objects_fails_each(*, compiled: bool) -> None:
    size = 40  # so that a function is generated
    query = f"{{ things(size: {size}) {{ atOnce later }} }}"
    result, _ = await run(engine(compiled=compiled), query)
    assert result.data == {"things": [{"atOnce": None, "later": None}] * size}
    assert {cause for _, cause in failed(result)} == {WorkCancelled}
    assert len(failed(result)) == 2 * size


@pytest.mark.parametrize("compiled", [True, False])
async def test_operation_whose_field_cancels_itself_is_answered(*, compiled: bool) -> None:
    result, _ = await run(engine(compiled=compiled), "{ text itself }")
    assert result.data is None
    assert failed(result) == [(None, WorkCancelled)]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("query", ["{ endless }", "{ text endless thing { later } }"])
async def test_cancelled_operation_ends(query: str, *, compiled: bool) -> None:
    task = asyncio.create_task(run(engine(compiled=compiled), query))
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


@pytest.mark.parametrize("compiled", [True, False])
async def test_late_operation_is_late_though_work_was_cancelled(*, compiled: bool) -> None:
    query = "{ endless thing { later } }"
    result, context = await run(engine(compiled=compiled, timeout=SOON), query)
    assert (result.data, context.cancelled) == (None, ["endless"])
    assert failed(result) == [(None, OperationTimeout)]


@pytest.mark.parametrize("compiled", [True, False])
async def test_late_operation_that_others_cancel_as_well_ends(*, compiled: bool) -> None:
    task = asyncio.create_task(run(engine(compiled=compiled, timeout=SOON), "{ again }"))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
