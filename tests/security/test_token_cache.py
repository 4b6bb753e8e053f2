"""Tokens that were verified already: good for no longer than they would be without that."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gql_app.errors import TokenExpired, TokenInvalid, TokenReason, Unauthenticated
from gql_app.lib import clock
from gql_app.lib.keyring import (
    Algorithm,
    KeyRing,
    KeyStore,
    ReloadingKeyRing,
    make,
    promote,
    retire,
)
from gql_app.lib.keyring.token_cache import MAX_BYTES, MAX_TOKENS, TokenCache
from gql_app.resources import Resources
from gql_app.security.tokens import MAX_TOKEN_BYTES, Claims, decode_token, encode_token
from gql_app.settings import Settings
from tests.conftest import SetClock
from tests.security.forging import (
    CUSTOMER,
    ISSUER,
    NOW,
    NOW_SECONDS,
    RING,
    SECRET,
    SESSION,
    b64,
    forge,
    token_cache,
)

pytestmark = pytest.mark.usefixtures("stopped_clock")

HS256 = RING.signing.id
DIFFERENT = 6_000
OTHER = "another secret, which nobody told the forger"


@pytest.fixture
def tokens() -> TokenCache[Claims]:
    """Begin with no token verified."""
    return token_cache()


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """Keep a secret, and an empty folder."""
    return KeyStore(SECRET, folder=tmp_path)


def reason(read: Callable[[], Claims]) -> TokenReason | None:
    """Return why a token is refused, or None if it is good."""
    try:
        read()
    except Unauthenticated as why:
        return why.reason
    return None


def sign(ring: KeyRing) -> str:
    """Issue a token, as a machine with these keys does."""
    return encode_token(
        ring, ISSUER, customer_id=CUSTOMER, session_id=SESSION, not_after=clock.LATEST
    )[0]


def of_length(number: int, length: int) -> str:
    """Make a token of its own that is about as long as is wished."""
    fits = max(0, (length - len(forge(claims={"jti": f'"{number}"'}))) * 3 // 4 - 4)
    return forge(claims={"jti": f'"{number}{"x" * fits}"'})


def held(tokens: TokenCache[Claims]) -> list[str]:
    """Return which tokens are kept, the one that goes first at the beginning."""
    kept = list(tokens._cached)  # noqa: SLF001 — what is kept shows nowhere else
    assert tokens._bytes == sum(map(len, kept))  # noqa: SLF001
    return kept


def test_token_says_the_same_when_it_comes_again(tokens: TokenCache[Claims]) -> None:
    token = forge()
    first = tokens.read(RING, token)
    again = tokens.read(RING, f"{token[:9]}{token[9:]}")
    assert first == again == decode_token(RING, ISSUER, token)
    assert again is first


@pytest.mark.parametrize("token", ["", "x", "a.b.c", forge()[:-1], forge(claims={"iss": '"no"'})])
def test_token_that_is_refused_is_never_kept_but_judged_anew(
    tokens: TokenCache[Claims], token: str
) -> None:
    refusals: list[Unauthenticated] = []
    for _ in range(3):
        with pytest.raises(Unauthenticated) as caught:
            tokens.read(RING, token)
        refusals.append(caught.value)
    assert len({id(refusal) for refusal in refusals}) == 3
    assert {refusal.reason for refusal in refusals} == {
        reason(lambda: decode_token(RING, ISSUER, token))
    }
    assert held(tokens) == []


@pytest.mark.parametrize("forged", [b"", b"x" * 32, bytes(31), bytes(64)])
def test_forged_signature_finds_nothing_of_the_genuine_token(
    tokens: TokenCache[Claims], forged: bytes
) -> None:
    genuine = forge()
    tokens.read(RING, genuine)
    forgery = f"{genuine.rpartition('.')[0]}.{b64(forged)}"
    for _ in range(2):
        with pytest.raises(TokenInvalid):
            tokens.read(RING, forgery)
    assert held(tokens) == [genuine]
    assert tokens.read(RING, genuine).customer_id == CUSTOMER


def test_any_other_character_finds_nothing_of_the_genuine_token(tokens: TokenCache[Claims]) -> None:
    genuine = forge()
    tokens.read(RING, genuine)
    for place, character in enumerate(genuine):
        other = f"{genuine[:place]}{'A' if character != 'A' else 'B'}{genuine[place + 1 :]}"
        with pytest.raises(Unauthenticated):
            tokens.read(RING, other)


def test_token_expires_between_two_uses(tokens: TokenCache[Claims], set_clock: SetClock) -> None:
    token = forge(claims={"exp": str(NOW_SECONDS + 60)})
    claims = tokens.read(RING, token)
    set_clock(claims.expires_at - timedelta(microseconds=1))
    assert tokens.read(RING, token) is claims
    set_clock(claims.expires_at)
    for _ in range(2):
        with pytest.raises(TokenExpired) as caught:
            tokens.read(RING, token)
        assert caught.value.expires_at == claims.expires_at
    assert held(tokens) == []


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_clock_set_back_makes_a_token_one_of_the_future(
    tokens: TokenCache[Claims], set_clock: SetClock, claim: str
) -> None:
    token = forge(claims={"iat": str(NOW_SECONDS - 3600), claim: str(NOW_SECONDS + 60)})
    tokens.read(RING, token)
    set_clock(NOW - timedelta(microseconds=1))
    for _ in range(2):
        with pytest.raises(TokenInvalid):
            tokens.read(RING, token)
    set_clock(NOW)
    assert tokens.read(RING, token).customer_id == CUSTOMER


def test_clock_set_back_before_a_session_was_opened_is_no_harm(
    tokens: TokenCache[Claims], set_clock: SetClock
) -> None:
    token = forge()
    first = tokens.read(RING, token)
    set_clock(NOW - timedelta(seconds=30))
    again = tokens.read(RING, token)
    assert again == first
    assert again is not first
    assert tokens.read(RING, token) is again
    set_clock(NOW)
    assert tokens.read(RING, token) is again


def test_retired_key_dies_between_two_uses(
    tokens: TokenCache[Claims], store: KeyStore, set_clock: SetClock
) -> None:
    key, _ = make(store, Algorithm.EDDSA)
    promote(store, key.id)
    current = ReloadingKeyRing(store, interval=0)
    token = sign(current.get())
    promote(store, HS256)
    tokens.read(current.get(), token)
    until = retire(store, key.id, ttl=0).not_after
    ring = current.get()
    claims = tokens.read(ring, token)
    assert until == NOW + timedelta(seconds=60) < claims.expires_at
    set_clock(until - timedelta(microseconds=1))
    assert tokens.read(ring, token) is claims
    set_clock(until)
    for _ in range(2):
        with pytest.raises(TokenInvalid):
            tokens.read(ring, token)
    assert current.get() is ring


def test_other_keys_retiring_is_no_harm(
    tokens: TokenCache[Claims], store: KeyStore, set_clock: SetClock
) -> None:
    retired, _ = make(store, Algorithm.EDDSA)
    retire(store, retired.id, ttl=0)
    ring, token = store.read(), forge()
    claims = tokens.read(ring, token)
    set_clock(NOW + timedelta(seconds=60))
    assert ring.find(retired.id) is None
    assert tokens.read(ring, token) is claims


def test_removed_key_takes_its_tokens_along_at_once(
    tokens: TokenCache[Claims], store: KeyStore
) -> None:
    key, file = make(store, Algorithm.ES256)
    promote(store, key.id)
    current = ReloadingKeyRing(store, interval=0)
    token, ours = sign(current.get()), forge()
    for each in (token, ours):
        tokens.read(current.get(), each)
    promote(store, HS256)
    file.unlink()
    with pytest.raises(TokenInvalid):
        tokens.read(current.get(), token)
    assert tokens.read(current.get(), ours).key_id == HS256


@pytest.mark.parametrize(
    "ring",
    [
        KeyStore(OTHER.encode()).read(),
        KeyRing(
            RING.signing,
            [replace(RING.signing, verifier=b"another secret under the very same key id")],
            SECRET,
        ),
    ],
    ids=["another key", "another key of one id"],
)
def test_changed_secret_is_no_longer_the_key_of_a_token(
    tokens: TokenCache[Claims], ring: KeyRing
) -> None:
    token = forge()
    tokens.read(RING, token)
    for _ in range(2):
        with pytest.raises(TokenInvalid):
            tokens.read(ring, token)
    assert tokens.read(RING, token).customer_id == CUSTOMER


def test_ring_read_anew_has_every_token_verified_anew(
    tokens: TokenCache[Claims], store: KeyStore
) -> None:
    token = forge()
    claims = tokens.read(store.read(), token)
    ring = store.read()
    again = tokens.read(ring, token)
    assert again == claims
    assert again is not claims
    assert tokens.read(ring, token) is again


def test_least_recently_used_goes_first(tokens: TokenCache[Claims]) -> None:
    few = token_cache(max_tokens=3)
    first, second, third, fourth = (of_length(number, 0) for number in range(4))
    for token in (first, second, third, first, fourth):
        few.read(RING, token)
    assert held(few) == [third, first, fourth]
    for token in (first, second, third, first, fourth):
        tokens.read(RING, token)
    assert held(tokens) == [second, third, first, fourth]


def test_short_tokens_stay_within_the_number_that_is_kept(tokens: TokenCache[Claims]) -> None:
    for number in range(DIFFERENT):
        tokens.read(RING, of_length(number, 0))
    assert len(held(tokens)) == MAX_TOKENS
    assert held(tokens)[-1] == of_length(DIFFERENT - 1, 0)


def test_long_tokens_stay_within_the_bytes_that_are_kept(tokens: TokenCache[Claims]) -> None:
    most = 0
    for number in range(DIFFERENT // 10):
        token = of_length(number, MAX_TOKEN_BYTES)
        assert MAX_TOKEN_BYTES - 8 < len(token) <= MAX_TOKEN_BYTES
        tokens.read(RING, token)
        most = max(most, tokens._bytes)  # noqa: SLF001 — the bound itself
    assert MAX_BYTES - MAX_TOKEN_BYTES < most <= MAX_BYTES
    assert len(held(tokens)) == MAX_BYTES // MAX_TOKEN_BYTES


ACTS = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.integers(-90, 90)),
    st.tuples(st.just("ring"), st.integers(0, 2)),
)
"""What may happen between two uses of a token."""


@settings(deadline=None)
@given(st.lists(ACTS, max_size=60))
def test_no_history_makes_a_token_better_or_worse_than_it_is(
    history: Sequence[tuple[str, int]],
) -> None:
    dying = replace(RING.signing, not_after=NOW + timedelta(seconds=50))
    rings = (RING, KeyRing(RING.signing, [dying], SECRET), KeyStore(OTHER.encode()).read())
    made = [
        *(forge(claims={"exp": str(NOW_SECONDS + late)}) for late in (-1, 30, 60)),
        *(forge(claims={"iat": str(NOW_SECONDS + late)}) for late in (30, 61, 120)),
    ]
    tokens, ring, now = token_cache(max_tokens=3), RING, NOW
    with pytest.MonkeyPatch.context() as patch:
        for act, number in history:
            if act == "wait":
                now += timedelta(seconds=number)
                patch.setattr(clock, "now", partial(min, now, now))
            elif act == "ring":
                ring = rings[number]
            else:
                anew = partial(decode_token, ring, ISSUER, made[number])
                assert reason(partial(tokens.read, ring, made[number])) == reason(anew)
                assert len(held(tokens)) <= 3


async def test_running_process_verifies_by_its_ring_and_its_issuer(
    tmp_path: Path,
) -> None:
    chosen = Settings(database_url=f"sqlite:///{tmp_path / 'app.db'}", secret_key=OTHER)
    async with Resources.open(chosen) as resources:
        token, claims = encode_token(
            resources.keys.get(),
            resources.issuer,
            customer_id=CUSTOMER,
            session_id=SESSION,
            not_after=clock.LATEST,
        )
        assert resources.tokens.read(resources.keys.get(), token) == claims
        assert resources.tokens.read(resources.keys.get(), token) is resources.tokens.read(
            resources.keys.get(), token
        )
        with pytest.raises(TokenInvalid):
            resources.tokens.read(resources.keys.get(), forge())
