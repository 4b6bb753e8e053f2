"""Values that are kept as long as they take no more than a number of bytes."""

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

__all__ = ["BoundedCache", "Weighed"]


class Weighed(Protocol):
    """What knows how many bytes it takes."""

    @property
    def bytes(self) -> int:
        """What it takes to keep it."""


W = TypeVar("W", bound=Weighed)


class BoundedCache(Generic[W]):
    """Values by their keys, such as documents by their texts; the least recently used give way.

    It is bounded by bytes, so that what clients have it keep takes no more memory than that,
    however many and however large the values are.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._values: OrderedDict[str, W] = OrderedDict()
        self.bytes = 0
        """What the values take together."""

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self._values)

    def get(self, key: str) -> W | None:
        """Return the value of a key, if it is here."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def add(self, key: str, value: W) -> None:
        """Keep a value that isn't here yet, and drop the oldest that are too many."""
        self._values[key] = value
        self.bytes += value.bytes
        while self.bytes > self._max_bytes:
            _, oldest = self._values.popitem(last=False)
            self.bytes -= oldest.bytes
