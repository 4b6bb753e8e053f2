"""Batching: keys that are loaded one by one are read together (the DataLoader pattern)."""

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Final, Generic, TypeVar
from uuid import UUID

from gql_app.lib.faults import CancellationsAsFaults

__all__ = ["Batches", "group"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
R = TypeVar("R")


class _Batch(dict[Hashable, list[Future[V]]], Generic[K, V]):
    """Keys that are read together, by their places, each with the futures of its callers."""

    task: Task[None] | None = None
    """The task that reads them, once it does."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Final[list[K]] = []
        """The keys themselves."""

    @property
    def is_cancelled(self) -> bool:
        """Whether all callers were cancelled."""
        return all(each.cancelled() for callers in self.values() for each in callers)

    def give_up(self, future: Future[V]) -> None:
        """Cancel the read once the last caller was cancelled."""
        if future.cancelled() and self.task and not self.task.cancelling() and self.is_cancelled:
            self.task.cancel()


class Batches(Generic[K, V]):
    """A cache of values by key: keys that are loaded at the same time are read in a batch."""

    def __init__(self, read: Callable[[list[K]], Awaitable[Sequence[V]]]) -> None:
        """Take a function that returns the value of each key, in the order of the keys."""
        self._read: Final = read
        self._values: Final[dict[Hashable, _Batch[K, V]]] = {}
        self._waiting: _Batch[K, V] = _Batch()
        """The keys to read next."""
        self._reading: Final[set[Task[None]]] = set()

    def load(self, key: K) -> Future[V]:
        """Return a future of the value of a key. Awaiting it raises what `read` raises.

        Until the value is read, each caller has its own: a cancelled task cancels what it awaits.
        """
        place = _place(key)
        batch = self._values.get(place, self._waiting)
        known = next((each for each in batch.get(place, ()) if not each.cancelled()), None)
        if known is not None and known.done():
            return known
        loop = asyncio.get_running_loop()
        if known is None:
            if not self._waiting:
                task = loop.create_task(self._fill())
                self._reading.add(task)
                task.add_done_callback(self._reading.discard)
            batch = self._values[place] = self._waiting
        value: Future[V] = loop.create_future()
        value.add_done_callback(batch.give_up)
        if place not in batch:
            batch[place] = []
            batch.asked.append(key)
        batch[place].append(value)
        return value

    async def _fill(self) -> None:
        """Read the values of all keys that are waiting now."""
        batch, self._waiting = self._waiting, _Batch()
        if batch.is_cancelled:
            return
        batch.task = asyncio.current_task()
        try:
            with CancellationsAsFaults():
                values = await self._read(batch.asked)
            if len(values) != len(batch):
                message = f"{len(values)} values were read of {len(batch)} keys"
                raise ValueError(message)  # noqa: TRY301 — it is raised in the callers
            for callers, value in zip(batch.values(), values, strict=True):
                for future in callers:
                    if not future.done():
                        future.set_result(value)
        except Exception as error:  # noqa: BLE001 — it is raised in the callers
            for callers in batch.values():
                for future in callers:
                    if not future.done():
                        future.set_exception(error)


def group(rows: Iterable[R], keys: Sequence[K], *, by: Callable[[R], K]) -> list[list[R]]:
    """Return the rows of each key, in the rows' order: for a loader of lists."""
    places = [_place(key) for key in keys]
    groups: dict[Hashable, list[R]] = {place: [] for place in places}
    for row in rows:
        groups[_place(by(row))].append(row)
    return [groups[place] for place in places]


def _place(key: Hashable) -> Hashable:
    """Return what stands for a key in a dictionary, and whose hash no client can foresee.

    UUIDs are hashed as numbers: thousands that clients choose could share a hash.
    """
    if isinstance(key, UUID):
        return key.bytes
    if isinstance(key, tuple) and {*map(type, key)} != {str}:
        return tuple(map(_place, key))
    return key
