"""Limits: how long to wait, by when it happened before."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import pytest

from gql_app.lib.rate_limits import Limit
from tests.conftest import SetClock
from tests.lib.rate_limits.limiter import LIMITER, NOON, Refused

NOW = NOON.timestamp()
FEW = Limit("few", attempts=2, name="few", window=60)
IN_A_ROW = Limit("row", attempts=2, name="row", window=1000, pause=100)


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


@pytest.mark.parametrize(
    ("limits", "times", "refusal"),
    [
        ([FEW, IN_A_ROW], {"few": [NOW, NOW], "row": [NOW, NOW]}, ("row", 100)),
        ([IN_A_ROW, FEW], {"few": [NOW, NOW]}, ("few", 60)),
        ([FEW], {}, None),
    ],
)
def test_of_several_limits_the_longest_wait_is_the_answer(
    limits: Sequence[Limit],
    times: Mapping[str, Sequence[float]],
    refusal: tuple[str, int] | None,
    set_clock: SetClock,
) -> None:
    set_clock(NOON)
    with pytest.raises(Refused) if refusal else nullcontext() as refused:
        LIMITER.check(limits, times)
    assert (refused and (refused.value.limit, refused.value.wait)) == refusal
