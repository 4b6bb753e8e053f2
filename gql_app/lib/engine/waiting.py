"""Awaiting: which values may have to be awaited, and groups that are awaited concurrently.

It takes a fraction of asyncio.gather's time: coroutines that never suspend need no task, and most
never do, because they only read what was loaded.
"""

import asyncio
from asyncio import CancelledError, Future, Task
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from types import CoroutineType, GeneratorType, NoneType, coroutine
from typing import Any, Final, TypeAlias, TypeVar

from graphql import Undefined
from graphql.execution.incremental import IncrementalExecutor

from gql_app.lib.faults import CancellationsAsFaults

T = TypeVar("T")
FAILURES: Final = (Exception, CancelledError)
"""What fails a field: also a cancellation, unless it is that of the task which executes it."""
IMMUTABLE: Final[frozenset[type]] = frozenset({str, int, float, bool, NoneType})
"""Types of arguments that may be handed to a resolver more than once."""
_BUILTIN: Final = IMMUTABLE | {bytes, list, tuple, dict, set, frozenset}
_HOOKS: Final = ("__getattr__", "__getattribute__", "__class__", "__await__")
"""Methods by which a type's values may be awaitable or have dynamic attributes."""
_BASES: Final = (BaseException, CoroutineType, GeneratorType, type(Undefined))
_MAX_TYPES: Final = 4096


class _Types(dict[type, bool]):
    """The types seen so far, and whether each of their values must be checked."""

    def __missing__(self, kind: type) -> bool:
        """Classify a type that is seen for the first time."""
        if len(self) > _MAX_TYPES:
            self.clear()
        ours = [base for base in kind.__mro__ if base not in _BUILTIN and base is not object]
        special = issubclass(kind, _BASES) or any(h in vars(each) for each in ours for h in _HOOKS)
        self[kind] = special
        return special


SPECIAL: Final = _Types()
"""Whether a type's values may be exceptions or awaitable: most are not."""


class CancellationExecutor(IncrementalExecutor):
    """graphql-core's executor, but a field whose awaitable is cancelled has failed."""

    async def with_abort_signal(self, awaitable: Awaitable[T]) -> T:
        """Return what an awaitable returns, unless the operation is aborted."""
        with CancellationsAsFaults():
            return await super().with_abort_signal(awaitable)

    async def complete_async_iterator_value(self, *given: Any) -> list[Any]:  # noqa: ANN401 — graphql-core's
        """Return the completed items of an async iterable."""
        with CancellationsAsFaults():
            return await super().complete_async_iterator_value(*given)


def fail_if_cancelled(resolve: Callable[..., Any], *given: Any, **arguments: Any) -> Any:  # noqa: ANN401 — any
    """Return what a resolver returns; it is graphql-core's middleware for CancellationExecutor."""
    with CancellationsAsFaults():
        return resolve(*given, **arguments)


Pending: TypeAlias = Any
"""A Pending of execution.py."""


class Group:
    """Values that are awaited concurrently."""

    async def run(self, waiting: Sequence[Pending]) -> None:
        """Return when all are in their places; if one raises, cancel and await the others."""
        if not waiting:
            return
        loop = asyncio.get_running_loop()
        ended: Future[None] = loop.create_future()
        self.left = len(waiting)
        self.ended: Future[None] | None = ended
        for each in waiting:
            each.group = self
        if all(each.position.suspends is False for each in waiting):
            self.tasks = [loop.create_task(self._run_in_sequence(iter(waiting)))]
        else:
            create = loop.create_task if loop.get_task_factory() else partial(Task, loop=loop)
            self.tasks = [create(each.fill(), name="field") for each in waiting]
            loop.call_soon(_record_suspensions, waiting)
        try:
            await ended
        except BaseException:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            raise

    async def _run_in_sequence(self, waiting: Iterator[Pending]) -> None:
        """Await one after the other, without a task for each.

        One that suspends nevertheless keeps this task, and the others get their own. Those after
        one that changed its context variables go on in a task without that change.
        """
        loop, context = asyncio.get_running_loop(), copy_context()
        for each in waiting:
            begun = each.fill()
            try:
                suspended = begun.send(None)
            except StopIteration:
                if copy_context() == context:
                    continue
                rest = self._run_in_sequence(waiting)
                self.tasks.append(loop.create_task(rest, context=context))
                return
            each.position.suspends = True
            self.tasks += [loop.create_task(e.fill(), context=context.copy()) for e in waiting]
            await _resume(begun, suspended)

    def end(self, error: BaseException | None = None) -> None:
        """End run(), or raise the first error there, in the event loop's next turn.

        asyncio.gather takes that turn as well, so that errors of several groups keep their order.
        """
        ended, self.ended = self.ended, None
        if ended is not None:
            asyncio.get_running_loop().call_soon(_end, ended, error)


def _record_suspensions(waiting: Sequence[Pending]) -> None:
    """Record which positions' values suspended; it runs after the first step of each."""
    for each in waiting:
        each.position.suspends = bool(each.position.suspends) or each.awaitable is not None


@coroutine
def _resume(begun: Coroutine[Any, Any, None], suspended: object) -> Generator[Any, Any, None]:
    """Await the rest of a coroutine that is suspended."""
    try:
        while True:
            try:
                sent = yield suspended
            except BaseException as error:  # noqa: BLE001 — it is the coroutine's, as with `await`
                suspended = begun.throw(error)
            else:
                suspended = begun.send(sent)
    except StopIteration:
        return


def _end(ended: Future[None], error: BaseException | None) -> None:
    if ended.done():  # run() was cancelled
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)
