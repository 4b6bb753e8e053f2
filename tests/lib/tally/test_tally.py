"""Events: the first of each is reported at once, the others by their number, and none is lost."""

import asyncio
from collections.abc import Sequence

import pytest

from gql_app.lib.tally import Due, Tally

PLACES, INTERVAL, OTHERS = 8, 60, "others"
Reports = list[tuple[str, int | None, object, str, int]]


class Reported:
    """A tally with a clock that a test sets, and what was reported."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reports: Reports = []
        self.tally = Tally[str, int, str](
            places=PLACES, interval=INTERVAL, others=OTHERS, now=lambda: self.now
        )

    async def send(self, due: Sequence[Due[str, int, str]]) -> None:
        """Take a report."""
        self.reports += due

    async def report(self, *, last: bool = False) -> Reports:
        """Return what is reported now."""
        self.reports = []
        assert await self.tally.report(self.send, last=last) == len(self.reports)
        return self.reports


@pytest.fixture
def reported() -> Reported:
    """Make a tally."""
    return Reported()


async def test_first_is_due_at_once_and_the_others_by_their_number(reported: Reported) -> None:
    for event in ("one", "two"):
        reported.tally.count("kind", 7, "source", event)
    assert reported.tally.first.is_set()
    assert await reported.report() == [("kind", 7, "source", "two", 2)]
    reported.tally.first.clear()
    for event in ("three", "four", "five"):
        reported.tally.count("kind", 7, "source", event)
    assert not reported.tally.first.is_set()
    assert await reported.report() == []
    reported.now = INTERVAL
    assert await reported.report() == [("kind", 7, "source", "five", 3)]


async def test_last_of_all_everything_is_reported(reported: Reported) -> None:
    reported.tally.count("kind", 7, "source", "one")
    await reported.report()
    reported.tally.count("kind", 7, "source", "two")
    assert await reported.report(last=True) == [("kind", 7, "source", "two", 1)]


async def test_sources_beyond_a_share_count_as_one_and_leave_room(reported: Reported) -> None:
    for number in range(PLACES):
        reported.tally.count("flood", 7, number, f"event {number}")
    reported.tally.count("other", 7, "source", "event")
    reported.tally.count("flood", 8, "source", "event")
    assert await reported.report() == [
        *(("flood", 7, number, f"event {number}", 1) for number in range(PLACES // 2)),
        ("flood", 7, None, OTHERS, PLACES // 2),
        ("other", 7, "source", "event", 1),
        ("flood", 8, "source", "event", 1),
    ]


async def test_owners_beyond_the_places_count_by_kind_alone(reported: Reported) -> None:
    for owner in range(100):
        reported.tally.count("kind", owner, "source", "event")
    found = await reported.report()
    assert len(found) <= 2 * PLACES
    assert found[-1] == ("kind", None, None, OTHERS, 100 - len(found) + 1)


async def test_place_without_new_events_is_given_up(reported: Reported) -> None:
    for round_ in range(3):
        reported.now = 2 * round_ * INTERVAL
        for number in range(PLACES):
            reported.tally.count(f"kind {number}", None, f"source {round_}", "event")
        assert all(source == f"source {round_}" for _, _, source, _, _ in await reported.report())
        reported.now += INTERVAL
        assert await reported.report() == []


async def test_what_could_not_be_sent_remains_due(reported: Reported) -> None:
    async def fail(_due: object) -> None:
        reported.tally.count("kind", 7, "source", "meanwhile")
        raise OSError

    reported.tally.count("kind", 7, "source", "one")
    with pytest.raises(OSError, match=r"^$"):
        await reported.tally.report(fail)
    assert await reported.report() == [("kind", 7, "source", "meanwhile", 2)]


async def test_events_are_reported_once_though_several_report(reported: Reported) -> None:
    reported.tally.count("kind", 7, "source", "one")
    found = await asyncio.gather(*(reported.tally.report(reported.send) for _ in range(5)))
    assert sum(found) == len(reported.reports) == 1
