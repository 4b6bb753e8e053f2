"""Moments: in UTC, no later than the year 9999, spelt as RFC 3339 has it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gql_app.lib import clock

NOON = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_now_is_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)
    assert clock.now().tzinfo is UTC


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-07-01T12:00:00Z"),
        (NOON.replace(microsecond=120_000), "2026-07-01T12:00:00.120000Z"),
        (NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-07-01T12:00:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (LAST, "9999-12-31T23:59:59Z"),
    ],
)
def test_moment_is_written_in_utc_and_ends_in_z(moment: datetime, text: str) -> None:
    assert clock.rfc3339(moment) == text


@pytest.mark.parametrize(
    ("moment", "seconds", "expected"),
    [
        (NOON, 1, NOON.replace(second=1)),
        (NOON, 86_400, NOON.replace(day=2)),
        (LAST.replace(second=57), 1, LAST.replace(second=58)),
        (LAST.replace(second=57), 2, LAST),
        (LAST.replace(second=57), 3, LAST),
        (LAST, 1, LAST),
        (NOON, 10**12, LAST),
        (NOON, 10**30, LAST),
    ],
)
def test_later_ends_with_the_year_9999(moment: datetime, seconds: int, expected: datetime) -> None:
    assert clock.later(moment, seconds) == expected


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-01t12:00:00z", NOON),
        ("2026-07-01 14:00:00+02:00", NOON),
        ("2026-07-01 14:00:00+02", NOON),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("1990-12-31T15:59:60-08:00", datetime(1991, 1, 1, tzinfo=UTC)),
        ("2012-07-01 05:29:60.5+05:30", datetime(2012, 7, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("2016-12-30T23:59:60Z", None),
        ("2017-01-01T00:00:60Z", None),
        ("2016-12-31T22:59:60Z", None),
        ("2016-12-31T23:58:60Z", None),
        ("2016-12-31T23:59:60-08:00", None),
        ("2016-12-31T23:59:61Z", None),
        ("2016-12-31T23:59:60", None),
        ("9999-12-31T23:59:60Z", None),
        ("2026-07-01T12:00:00", None),
        ("", None),
    ],
)
def test_moment_is_read_as_rfc_3339_has_it(text: str, moment: datetime | None) -> None:
    assert clock.parse_moment(text) == moment
