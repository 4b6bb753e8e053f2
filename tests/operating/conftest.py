"""A check of the required programs, before any test begins."""

import pytest

from tests.operating.programs import what_is_missing


def pytest_configure() -> None:
    """Raise UsageError if a program is missing: no test is skipped."""
    if sentence := what_is_missing():
        raise pytest.UsageError(sentence)
