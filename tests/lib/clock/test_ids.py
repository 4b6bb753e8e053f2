"""Identifiers: their version, their order, their one spelling."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

import pytest

from gql_app.lib.clock import made_at, new_id, parse_id

SPELLING = "01980000-0000-7abc-8def-0123456789ab"


@pytest.fixture(params=[datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, 12, tzinfo=UTC)])
def moment(request: pytest.FixtureRequest, set_clock: Callable[[datetime], None]) -> datetime:
    """Stop the clock at a moment."""
    moment: datetime = request.param
    set_clock(moment)
    return moment


@pytest.mark.usefixtures("moment")
def test_id_is_of_version_7_and_the_standard_s_variant() -> None:
    for _ in range(100):
        made = new_id()
        assert (made.version, made.variant) == (7, RFC_4122)


def test_id_begins_with_the_milliseconds_since_1970(moment: datetime) -> None:
    assert new_id().int >> 80 == int(moment.timestamp()) * 1000


@pytest.mark.usefixtures("moment")
def test_ids_of_one_moment_differ() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000


def test_ids_sort_by_the_time_they_were_made(set_clock: Callable[[datetime], None]) -> None:
    made = []
    for milliseconds in range(0, 100_000, 100):
        set_clock(datetime(2026, 7, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds))
        made.append(new_id())
    assert made == sorted(made)
    assert [str(each) for each in made] == sorted(str(each) for each in made)


def test_id_is_read_in_the_spelling_it_is_written_in() -> None:
    made = new_id()
    assert parse_id(str(made)) == made
    assert str(parse_id(SPELLING)) == SPELLING


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        SPELLING.upper(),
        SPELLING.replace("-", ""),
        SPELLING.replace("-", "_"),
        f"{{{SPELLING}}}",
        f"urn:uuid:{SPELLING}",
        f" {SPELLING}",
        f"{SPELLING}\n",
        SPELLING[:-1],
        SPELLING[:-1] + "g",
        SPELLING[:-1] + " ",
        SPELLING[:-1] + "\x00",
        SPELLING[:-1] + "\ud800",
        SPELLING[:-1] + "\N{FULLWIDTH DIGIT ONE}",
        SPELLING[:-2] + "_1",
        SPELLING.replace("019800", "+19800", 1),
        "0198000-00000-7abc-8def-0123456789ab",
        f"{{{SPELLING.replace('-', '')}}}--",
        "x" * 36,
        SPELLING * 1000,
    ],
    ids=lambda text: repr(text[:40]),
)
def test_any_other_spelling_is_no_id(text: str) -> None:
    assert parse_id(text) is None


def test_id_tells_when_it_was_made_to_the_millisecond(
    set_clock: Callable[[datetime], None],
) -> None:
    moment = datetime(2030, 1, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    set_clock(moment)
    assert made_at(new_id()) == moment.replace(microsecond=123_000)
