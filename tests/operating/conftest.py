"""Says in a sentence what is missing here, before any test begins."""

import pytest

from tests.operating.programs import what_is_missing


def pytest_configure() -> None:
    """Raise UsageError if a program isn't there: nothing is skipped."""
    if sentence := what_is_missing():
        raise pytest.UsageError(sentence)
