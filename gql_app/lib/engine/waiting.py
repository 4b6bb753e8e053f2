"""Waiting: what has to be awaited, and how much is awaited side by side.

It takes a fraction of asyncio.gather's time: no task is needed for those which are there at once,
as most coroutines are that only read what was loaded.
"""

import asyncio
from asyncio import Future, Task
from collections.abc import Coroutine, Generator, Iterator, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from types import CoroutineType, GeneratorType, NoneType, coroutine
from typing import Any, Final, TypeAlias

from graphql import Undefined

IMMUTABLE: Final[frozenset[type]] = frozenset({str, int, float, bool, NoneType})
"""Types of arguments that may be handed to a resolver more than once."""
_BUILTIN: Final = IMMUTABLE | {bytes, list, tuple, dict, set, frozenset}
_HOOKS: Final = ("__getattr__", "__getattribute__", "__class__", "__await__", "__call__")
"""What makes a type answer otherwise than by its attributes."""
_ODD_BASES: Final = (BaseException, Mapping, CoroutineType, GeneratorType, type(Undefined))
_MAX_TYPES: Final = 4096


class _Types(dict[type, bool]):
    """Types met so far, and whether their values must be looked at each time."""

    def __missing__(self, kind: type) -> bool:
        """Learn what a type is that is met for the first time."""
        if len(self) > _MAX_TYPES:
            self.clear()
            ATTRIBUTES.clear()
        ours = [base for base in kind.__mro__ if base not in _BUILTIN and base is not object]
        odd = issubclass(kind, _ODD_BASES) or any(h in vars(each) for each in ours for h in _HOOKS)
        if not odd and ours:
            ATTRIBUTES.add(kind)
        self[kind] = odd
        return odd


ODD: Final = _Types()
"""Whether a type's values may be exceptions, callable or awaitable: most are not."""
ATTRIBUTES: Final[set[type]] = set()
"""Types met so far whose attributes are a GraphQL object's fields; a Mapping's are not."""


Pending: TypeAlias = Any
"""A value that is awaited, and the place where it will be: one of execution.py."""


class Group:
    """Values that are awaited side by side."""

    async def run(self, waiting: Sequence[Pending]) -> None:
        """Return when all are there; if one raises, the others are cancelled and awaited."""
        if not waiting:
            return
        loop = asyncio.get_running_loop()
        ended: Future[None] = loop.create_future()
        self.left = len(waiting)
        self.ended: Future[None] | None = ended
        for each in waiting:
            each.group = self
        if all(each.position.suspends is False for each in waiting):
            self.tasks = [loop.create_task(self._in_turn(iter(waiting)))]
        else:
            create = loop.create_task if loop.get_task_factory() else partial(Task, loop=loop)
            self.tasks = [create(each.fill(), name="field") for each in waiting]
            loop.call_soon(_learn, waiting)
        try:
            await ended
        except BaseException:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            raise

    async def _in_turn(self, waiting: Iterator[Pending]) -> None:
        """Await one after the other, for which none needs a task of its own.

        One that suspends all the same keeps this task, and the others get their own. So do those
        after one that changed the context, which is nobody else's.
        """
        loop, context = asyncio.get_running_loop(), copy_context()
        for each in waiting:
            begun = each.fill()
            try:
                suspended = begun.send(None)
            except StopIteration:
                if copy_context() == context:
                    continue
                rest = self._in_turn(waiting)
                self.tasks.append(loop.create_task(rest, context=context))
                return
            each.position.suspends = True
            self.tasks += [loop.create_task(e.fill(), context=context.copy()) for e in waiting]
            await _resumed(begun, suspended)

    def end(self, error: BaseException | None = None) -> None:
        """Go on, or raise the first error where all are awaited: in the loop's next turn.

        asyncio.gather takes that turn as well, and so errors of several groups keep their order.
        """
        ended, self.ended = self.ended, None
        if ended is not None:
            asyncio.get_running_loop().call_soon(_end, ended, error)


def _learn(waiting: Sequence[Pending]) -> None:
    """Note which places' values were there at once; it runs after the first step of each."""
    for each in waiting:
        each.position.suspends = bool(each.position.suspends) or each.awaitable is not None


@coroutine
def _resumed(begun: Coroutine[Any, Any, None], suspended: object) -> Generator[Any, Any, None]:
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
    if ended.done():  # for who waits was cancelled
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)
