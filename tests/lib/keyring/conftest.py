"""Fixture of the key ring's tests: a stopped clock."""

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.security.forging import NOW


@pytest.fixture
def stopped_clock(set_clock: Callable[[datetime], None]) -> datetime:
    """Stop the clock, and return its time."""
    set_clock(NOW)
    return NOW
