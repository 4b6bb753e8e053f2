"""Waiting: what is awaited side by side, and what nobody waits for any more.

It takes a fraction of asyncio.gather's time: no task is needed for those which are there at once,
as most coroutines are that only read what was loaded.
"""

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Coroutine, Generator, Iterable, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from types import coroutine
from typing import Any, Final, Protocol

from graphql import GraphQLResolveInfoHelpers
from graphql.pyutils import gather_with_cancel, is_awaitable

_background: Final[set[Future[Any]]] = set()
"""What was abandoned, until it is settled."""


class Place(Protocol):
    """Where awaited values will be."""

    suspends: bool | None
    """Whether what is awaited here was ever not there at once; None if nobody knows yet."""


class Waiting(Protocol):
    """A value that is awaited."""

    awaitable: Awaitable[Any] | None
    """None once the value is there."""
    group: "Group | None"

    @property
    def position(self) -> Place:
        """Where it will be."""

    def fill(self) -> Coroutine[Any, Any, None]:
        """Put the value in its place, and tell the group."""


class Group:
    """Values that are awaited side by side."""

    __slots__ = ("ended", "left", "tasks")

    async def run(self, waiting: Sequence[Waiting]) -> None:
        """Return when all are there; if one raises, the others are cancelled and awaited."""
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

    async def _in_turn(self, waiting: Iterator[Waiting]) -> None:
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


def settle(values: Iterable[Any]) -> None:
    """Await what nobody waits for, so that it ends; without an event loop it never begins.

    Values that are no awaitables are left out.
    """
    awaitables = [each for each in values if is_awaitable(each)]
    if not awaitables:
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        for each in awaitables:
            if asyncio.iscoroutine(each):
                each.close()
        return
    future = asyncio.gather(*awaitables, return_exceptions=True)
    _background.add(future)
    future.add_done_callback(_background.discard)


HELPERS: Final = GraphQLResolveInfoHelpers(lambda values: gather_with_cancel(*values), settle)
"""What resolvers are given to await several things."""


def _learn(waiting: Sequence[Waiting]) -> None:
    """Note which places' values were there at once; it runs after the first step of each."""
    for each in waiting:
        if each.awaitable is not None:
            each.position.suspends = True
    for each in waiting:
        if each.position.suspends is None:
            each.position.suspends = False


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
