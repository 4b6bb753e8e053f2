"""What the tests of the key ring share: a clock that stands still."""

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.security.forging import NOW


@pytest.fixture
def stopped_clock(set_clock: Callable[[datetime], None]) -> datetime:
    """Stop the clock, and tell when."""
    set_clock(NOW)
    return NOW
