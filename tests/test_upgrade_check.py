"""The check with the newest releases: which tests fail is read from what pytest prints."""

import pytest

from tests.upgrade_check import FAILED


@pytest.mark.parametrize(
    ("line", "test"),
    [
        ("FAILED tests/test_a.py::test_b", "tests/test_a.py::test_b"),
        ("FAILED tests/test_a.py::test_b - mail - a@b", "tests/test_a.py::test_b"),
        ("FAILED tests/test_a.py::test_b@a group", "tests/test_a.py::test_b"),
        ("FAILED tests/test_a.py::test_b@a group - assert 0", "tests/test_a.py::test_b"),
        ("FAILED tests/test_a.py::test_b[c@d e]@group - x@y", "tests/test_a.py::test_b[c@d e]"),
        ("ERROR tests/test_a.py - ValueError: why", "tests/test_a.py"),
    ],
)
def test_failing_test_is_named_without_its_group(line: str, test: str) -> None:
    assert FAILED.findall(f"...\n{line}\n{line}\n1 failed") == [test, test]
