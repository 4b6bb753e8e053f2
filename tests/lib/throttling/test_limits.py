"""Limits: how long to wait, by when it happened before."""

from datetime import UTC, datetime

import pytest

from gql_app.lib.throttling import Limit, Lockout, longest_wait, subject_hash

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
NOW = NOON.timestamp()
FEW = Limit("few", attempts=2, name="few", window=60)
IN_A_ROW = Lockout("row", attempts=2, name="row", window=1000, pause=100)


@pytest.mark.parametrize(
    ("ago", "wait"),
    [
        ([], 0),
        ([0], 0),
        ([0, 0], 60),
        ([59.5, 0], 1),
        ([60, 0], 0),
        ([30, 20, 10], 40),
        ([-60, -60], 120),
        ([-61, -61], 0),
    ],
)
def test_limit_waits_until_an_attempt_leaves_the_window(ago: list[float], wait: int) -> None:
    assert FEW.wait([NOW - seconds for seconds in ago], NOW) == wait


@pytest.mark.parametrize(
    ("ago", "wait"),
    [
        ([500], 0),
        ([500, 0], 100),
        ([500, 99.5], 1),
        ([500, 100], 0),
        ([5000, 999], 0),
        ([5000, 1000], 0),
        ([-100, -100], 200),
        ([-101, -101], 0),
    ],
)
def test_lockout_waits_for_its_pause_however_old_the_first_failures_are(
    ago: list[float], wait: int
) -> None:
    assert IN_A_ROW.wait([NOW - seconds for seconds in ago], NOW) == wait


def test_lockout_remembers_a_row_of_failures_until_its_last_one_is_forgotten() -> None:
    assert IN_A_ROW.counted([NOW - 5000, NOW - 999], NOW) == [NOW - 5000, NOW - 999]
    assert IN_A_ROW.counted([NOW - 5000, NOW - 1000], NOW) == []


def test_of_several_limits_the_longest_wait_is_the_answer() -> None:
    times = {"few": [NOW, NOW], "row": [NOW, NOW]}
    assert longest_wait([FEW, IN_A_ROW], times, NOON) == (100, IN_A_ROW)
    assert longest_wait([IN_A_ROW, FEW], {"few": [NOW, NOW]}, NOON) == (60, FEW)
    assert longest_wait([FEW], {}, NOON) == (0, FEW)


def test_subject_is_a_hash_by_the_key_the_kind_and_who_it_is() -> None:
    subjects = {
        subject_hash(key, kind, who)
        for key in (b"a key", b"another key")
        for kind in ("sign-in", "proof")
        for who in ("ada", "bob")
    }
    assert len(subjects) == 8
    assert {len(subject) for subject in subjects} == {64}
    assert subject_hash(b"a key", "proof", "ada") in subjects
