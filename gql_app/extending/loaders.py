"""Loaders: what many objects of a page need is read by one statement."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import update_wrapper
from typing import Any, Generic, TypeVar, overload

from gql_app.lib.database import Reader

K = TypeVar("K")
R = TypeVar("R")
V = TypeVar("V")


class Loader(Generic[K, V]):
    """What `info.context.load(loader, key)` loads by: it reads the values of many keys at once."""

    def __init__(self, read: Callable[[Reader, list[K]], Awaitable[Any]]) -> None:
        """Take the function that reads; loader() does so."""
        self._read = read
        update_wrapper(self, read)

    async def __call__(self, db: Reader, keys: list[K]) -> Sequence[V]:
        """Return the value of each key, in their order; None where a mapping has none.

        Raises ValueError unless there are as many as keys.
        """
        found: Mapping[K, V] | Sequence[V] = await self._read(db, keys)
        if isinstance(found, Mapping):
            return [found.get(key) for key in keys]  # type: ignore[misc]  # so V may be None
        if len(found) != len(keys):
            name = getattr(self._read, "__name__", "a loader")
            message = f"{name} returned {len(found)} values for {len(keys)} keys"
            raise ValueError(message)
        return found


@overload
def loader(
    read: Callable[[Reader, list[K]], Awaitable[Mapping[K, V]]],
) -> Loader[K, V | None]: ...
@overload
def loader(read: Callable[[Reader, list[K]], Awaitable[Sequence[V]]]) -> Loader[K, V]: ...
def loader(read: Callable[[Reader, list[Any]], Awaitable[Any]]) -> Loader[Any, Any]:
    """Return the loader of a function that reads the values of many keys, as a decorator.

        @loader
        async def orders_of(db: Reader, customer_ids: list[UUID]) -> list[list[OrderRecord]]:
            rows = await db.fetch_all(ORDERS, ids=customer_ids)
            return group(rows, customer_ids, by=lambda row: row.customer_id)

    It returns the values in the order of the keys, or a mapping of those that there are: a key
    that it lacks has None. `await info.context.load(orders_of, self.id)` is one statement for a
    whole page. What was loaded is kept for the request, until it writes something.
    """
    return Loader(read)


def group(rows: Iterable[R], keys: Sequence[K], *, by: Callable[[R], K]) -> list[list[R]]:
    """Return for each key the rows that have it, in their order: for a loader of lists."""
    groups: dict[K, list[R]] = {key: [] for key in keys}
    for row in rows:
        groups[by(row)].append(row)
    return [groups[key] for key in keys]
