"""Challenges are known again without being stored, for their purpose and their time alone."""

from datetime import UTC, datetime, timedelta

import pytest

from gql_app.lib.passkeys import Challenges

KEY = b"k" * 32
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
CHALLENGES = Challenges(KEY)


def ends(challenge: bytes, purpose: str = "sign in", *, after: float = 0) -> datetime | None:
    return CHALLENGES.expires_at(challenge, purpose, now=NOW + timedelta(seconds=after))


def test_a_challenge_is_good_for_five_minutes() -> None:
    challenge = CHALLENGES.new("sign in", now=NOW)
    assert ends(challenge) == NOW + timedelta(minutes=5)
    assert ends(challenge, after=299.9) == NOW + timedelta(minutes=5)
    assert ends(challenge, after=300) is None


def test_a_clock_may_be_a_minute_behind_and_no_more() -> None:
    challenge = CHALLENGES.new("sign in", now=NOW)
    assert ends(challenge, after=-60) == NOW + timedelta(minutes=5)
    assert ends(challenge, after=-61) is None


def test_a_moment_has_its_fraction_cut_off() -> None:
    challenge = CHALLENGES.new("sign in", now=NOW + timedelta(seconds=0.9))
    assert ends(challenge, after=0.9) == NOW + timedelta(minutes=5)


@pytest.mark.parametrize("purpose", ["", "sign", "sign in ", "register", "ä"])
def test_a_challenge_for_another_purpose_is_none(purpose: str) -> None:
    assert ends(CHALLENGES.new("sign in", now=NOW), purpose) is None
    assert ends(CHALLENGES.new(purpose, now=NOW), purpose) is not None


def test_the_purpose_can_not_be_read_from_it() -> None:
    challenge = CHALLENGES.new("sign in", now=NOW)
    assert len(challenge) == 56
    assert len(CHALLENGES.new("a purpose that is long", now=NOW)) == 56
    assert b"sign" not in challenge


def test_nothing_of_a_purpose_can_be_moved_into_the_challenge() -> None:
    challenge = CHALLENGES.new("sign in", now=NOW)
    assert ends(b"n" + challenge, "sign i") is None
    assert ends(challenge[1:], "sign in" + chr(challenge[0])) is None


def test_a_challenge_of_another_key_is_none() -> None:
    assert ends(Challenges(b"l" * 32).new("sign in", now=NOW)) is None


def test_every_challenge_is_new() -> None:
    assert len({CHALLENGES.new("sign in", now=NOW)[:16] for _ in range(100)}) == 100


def test_no_byte_of_a_challenge_can_be_another() -> None:
    challenge = CHALLENGES.new("sign in", now=NOW)
    for place in range(len(challenge)):
        flipped = bytes([challenge[place] ^ 1])
        assert ends(challenge[:place] + flipped + challenge[place + 1 :]) is None


def test_whatever_is_no_challenge_is_none() -> None:
    challenge = CHALLENGES.new("sign in", now=NOW)
    for other in (b"", b"x", challenge[:-1], challenge + b"x", b"\xff" * 56, bytes(10**6)):
        assert ends(other) is None
