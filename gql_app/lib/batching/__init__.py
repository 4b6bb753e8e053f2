"""Batching: keys that are loaded one by one are read together (the DataLoader pattern)."""

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from functools import partial
from typing import Final, Generic, TypeVar

from gql_app.lib.faults import CancellationsAsFaults

__all__ = ["Batches"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Batches(Generic[K, V]):
    """A cache of values by key: keys that are loaded at the same time are read in a batch."""

    def __init__(self, read: Callable[[list[K]], Awaitable[Sequence[V]]]) -> None:
        """Take a function that returns the value of each key, in the order of the keys."""
        self._read: Final = read
        self._values: Final[dict[K, Future[V]]] = {}
        self._waiting: dict[K, Future[V]] = {}
        """The keys to read next, with their futures."""
        self._reading: Final[set[Task[None]]] = set()

    def load(self, key: K) -> Future[V]:
        """Return a future of the value of a key. Awaiting it raises what `read` raises."""
        value = self._values.get(key)
        if value is None or value.cancelled():
            loop = asyncio.get_running_loop()
            if not self._waiting:
                task = loop.create_task(self._fill())
                self._reading.add(task)
                task.add_done_callback(self._reading.discard)
            value = self._values[key] = self._waiting[key] = loop.create_future()
        return value

    async def _fill(self) -> None:
        """Read the values of all keys that are waiting now."""
        waiting, self._waiting = self._waiting, {}
        if all(value.cancelled() for value in waiting.values()):
            return
        task = asyncio.current_task()
        assert task  # noqa: S101 — for mypy
        for future in waiting.values():
            future.add_done_callback(partial(_give_up, task, waiting.values()))
        try:
            with CancellationsAsFaults():
                values = await self._read([*waiting])
            if len(values) != len(waiting):
                message = f"{len(values)} values were read of {len(waiting)} keys"
                raise ValueError(message)  # noqa: TRY301 — it is raised in the callers
            for future, value in zip(waiting.values(), values, strict=True):
                if not future.done():
                    future.set_result(value)
        except Exception as error:  # noqa: BLE001 — it is raised in the callers
            for future in waiting.values():
                if not future.done():
                    future.set_exception(error)


def _give_up(task: Task[None], waiting: Collection[Future[V]], future: Future[V]) -> None:
    """Cancel the read of a batch once all its callers were cancelled."""
    if future.cancelled() and not task.cancelling() and all(each.cancelled() for each in waiting):
        task.cancel()
