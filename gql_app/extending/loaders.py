"""Loaders: one statement reads what all objects of a page need, which avoids N+1 queries."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Generic, TypeVar, overload

from gql_app.extending.functions import check_function
from gql_app.lib.database import Reader

K = TypeVar("K")
V = TypeVar("V")


class Loader(Generic[K, V]):
    """A batch loader for `info.context.load(loader, key)`: it reads many keys' values at once."""

    def __init__(self, read: Callable[[Reader, list[K]], Awaitable[Any]]) -> None:
        """Take the function that reads; loader() is the public way to do so."""
        self._read = read
        update_wrapper(self, read)

    async def __call__(self, db: Reader, keys: list[K]) -> Sequence[V]:
        """Return the value of each key, in the keys' order; None where a mapping lacks it.

        Raises ValueError if a sequence has not one value for each key.
        """
        found: Mapping[K, V] | Sequence[V] = await self._read(db, keys)
        if isinstance(found, Mapping):
            return [found.get(key) for key in keys]  # type: ignore[misc]  # so V may be None
        if len(found) != len(keys):
            name = getattr(self._read, "__name__", "a loader")
            message = f"{name} returned {len(found)} values for {len(keys)} keys"
            raise ValueError(message)
        return found


@dataclass(frozen=True)
class LoadFor:
    """A batch loader for one caller; equal ones of a request share a batch."""

    read: Callable[..., Awaitable[list[Any]]]
    given: tuple[object, ...]
    """What it is given besides the database and the keys."""

    async def __call__(self, db: Reader, keys: list[Any]) -> list[Any]:
        """Return the value of each key."""
        return await self.read(db, keys, *self.given)


@overload
def loader(
    read: Callable[[Reader, list[K]], Awaitable[Mapping[K, V]]],
) -> Loader[K, V | None]: ...
@overload
def loader(read: Callable[[Reader, list[K]], Awaitable[Sequence[V]]]) -> Loader[K, V]: ...
def loader(read: Callable[[Reader, list[Any]], Awaitable[Any]]) -> Loader[Any, Any]:
    """Return a batch loader of a function that reads the values of many keys: a decorator.

        @loader
        async def orders_of(db: Reader, customer_ids: list[UUID]) -> list[list[OrderRecord]]:
            rows = await db.fetch_all(ORDERS, ids=customer_ids)
            return group(rows, customer_ids, by=lambda row: row.customer_id)

    The function returns the values in the order of the keys, or a mapping, in which a missing key
    stands for None. `await info.context.load(orders_of, self.id)` is one statement for a whole
    page. Values are cached for the request, until it writes. Raises TypeError unless it is an
    asynchronous function of the two.
    """
    check_function("loader()", read, ("db", "keys"), is_async=True)
    return Loader(read)
