"""UUIDs that share a hash, as clients can choose them, and how often UUIDs are compared."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import pytest

MODULUS: Final = 2**61 - 1
"""A number's hash is its remainder of this."""
COLLIDING: Final = [UUID(int=number * MODULUS) for number in range(1, 501)]


@contextmanager
def comparisons() -> Iterator[list[UUID]]:
    """Collect the UUIDs that are compared with others in the block."""
    compared: list[UUID] = []
    equal = UUID.__eq__

    def counting(one: UUID, other: object) -> bool:
        compared.append(one)
        return equal(one, other)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UUID, "__eq__", counting)
        yield compared
