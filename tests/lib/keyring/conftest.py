"""Fixtures of the key ring's tests: a stopped clock, and keys that are loaded once."""

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from tests.security.forging import NOW
from tests.security.foundry import read_once


@pytest.fixture(scope="package", autouse=True)
def keys_are_read_once() -> Iterator[None]:
    """Load each private key once."""
    with read_once():
        yield


@pytest.fixture
def stopped_clock(set_clock: Callable[[datetime], None]) -> datetime:
    """Stop the clock, and return its time."""
    set_clock(NOW)
    return NOW
