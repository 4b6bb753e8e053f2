"""What a token must hold, claim by claim and to the second."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from gql_app.errors import KeysGone, TokenExpired, TokenReason
from gql_app.lib.clock import LATEST
from gql_app.security.tokens import Claims, Issuer, decode_token, encode_token, issue_token
from tests.security.forging import (
    CLAIMS,
    CUSTOMER,
    ISSUER,
    NOW,
    NOW_SECONDS,
    RING,
    SECRET,
    SESSION,
    forge,
    reason,
    refusal,
)

INVALID = TokenReason.TOKEN_INVALID
EXPIRED = TokenReason.TOKEN_EXPIRED
END_OF_9999 = 253_402_300_799

WRONG_TIMES = [
    "null",
    "true",
    "false",
    "{}",
    f"[{NOW_SECONDS}]",
    f'"{NOW_SECONDS}"',
    "NaN",
    "Infinity",
    "-Infinity",
    "-1",
    "-0.5",
    "1e300",
    "1e400",
    str(END_OF_9999 + 1),
    "9" * 5000,
    "-" + "9" * 5000,
]
WRONG_TEXTS = [
    *("null", "true", "false", "1", "-1", "1.5", "1e300", "9" * 5000, "NaN", "Infinity"),
    *("{}", "[]", '""', '" "', r'"\u0000"', r'"\ud800"', json.dumps("x" * 5000)),
]

pytestmark = pytest.mark.usefixtures("stopped_clock")


def issue(issuer: Issuer = ISSUER) -> tuple[str, Claims]:
    return encode_token(RING, issuer, customer_id=CUSTOMER, session_id=SESSION, not_after=LATEST)


def test_issued_token_says_who_for_whom_and_until_when() -> None:
    token, claims = issue()
    assert decode_token(RING, ISSUER, token) == claims
    assert claims == Claims(CUSTOMER, SESSION, NOW, NOW + timedelta(hours=1), RING.signing.id)


def test_another_service_with_the_secret_verifies_an_issued_token(
    set_clock: Callable[[datetime], None],
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    set_clock(now)
    token, _ = issue()
    read = jwt.decode_complete(
        token, SECRET, algorithms=["HS256"], audience=ISSUER.audience, issuer=ISSUER.issuer
    )
    jwt_id = read["payload"].pop("jti")
    assert isinstance(jwt_id, str)
    assert jwt_id
    assert read["header"] == {"alg": "HS256", "typ": "at+jwt", "kid": RING.signing.id}
    assert read["payload"] == {
        "iss": ISSUER.issuer,
        "aud": ISSUER.audience,
        "sub": str(CUSTOMER),
        "sid": str(SESSION),
        "client_id": ISSUER.issuer,
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 3600,
    }


def test_every_token_has_an_id_of_its_own() -> None:
    ids = {jwt.decode(issue()[0], options={"verify_signature": False})["jti"] for _ in range(100)}
    assert len(ids) == 100


@pytest.mark.parametrize("ttl", [1, 10**9])
def test_token_lives_as_long_as_its_issuer_says(ttl: int) -> None:
    _, claims = issue(Issuer(ISSUER.issuer, ISSUER.audience, ttl))
    assert claims.expires_at - claims.issued_at == timedelta(seconds=ttl)


@pytest.mark.parametrize("ttl", [10**12, 10**30])
def test_token_outlives_the_year_9999_under_no_setting(ttl: int) -> None:
    issuer = Issuer(ISSUER.issuer, ISSUER.audience, ttl)
    token, claims = issue(issuer)
    assert claims.expires_at == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert decode_token(RING, issuer, token) == claims


@pytest.mark.parametrize(
    "claim", ["isAdmin", "roles", "scope", "client_id", "auth_time", "alg", "__proto__", ""]
)
def test_claim_that_is_not_ours_changes_nothing(claim: str) -> None:
    """RFC 7519 section 4: what isn't understood is ignored."""
    assert decode_token(RING, ISSUER, forge(claims={claim: '["admin"]'})) == issue()[1]


def test_token_made_by_hand_is_as_good_as_an_issued_one() -> None:
    assert decode_token(RING, ISSUER, forge()) == issue()[1]


@pytest.mark.parametrize("claim", CLAIMS)
def test_token_without_a_claim_is_invalid(claim: str) -> None:
    """RFC 9068 section 2.2; without `nbf` a token is good at once (RFC 7519 section 4.1.5)."""
    assert reason(forge(claims={claim: None})) == INVALID


@pytest.mark.parametrize("wrong", WRONG_TIMES, ids=lambda wrong: wrong[:12])
@pytest.mark.parametrize("claim", ["iat", "exp", "nbf"])
def test_time_of_a_wrong_type_or_size_is_invalid(claim: str, wrong: str) -> None:
    assert reason(forge(claims={claim: wrong})) == INVALID


@pytest.mark.parametrize("wrong", WRONG_TEXTS, ids=lambda wrong: wrong[:12])
@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid"])
def test_text_of_a_wrong_type_or_value_is_invalid(claim: str, wrong: str) -> None:
    assert reason(forge(claims={claim: wrong})) == INVALID


@pytest.mark.parametrize(
    "wrong", ["null", "true", "1", "-1", "NaN", "Infinity", "9" * 5000, "{}", '["id"]', '""']
)
def test_token_id_that_is_no_text_is_invalid(wrong: str) -> None:
    assert reason(forge(claims={"jti": wrong})) == INVALID


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid"])
def test_list_of_the_right_value_is_invalid(claim: str) -> None:
    assert reason(forge(claims={claim: f"[{CLAIMS[claim]}]"})) == INVALID


@pytest.mark.parametrize("claim", ["sub", "sid"])
@pytest.mark.parametrize(
    "spelling",
    [
        f" {CUSTOMER}",
        f"{CUSTOMER}\\n",
        f"{{{CUSTOMER}}}",
        f"urn:uuid:{CUSTOMER}",
        CUSTOMER.hex,
        "01980000-0000-7000-8000-00000000000A",
        "01980000-0000-7000-8000-00000000000\N{ARABIC-INDIC DIGIT ONE}",
        "01980000_0000_7000_8000_000000000001",
        "1",
    ],
)
def test_id_in_any_other_spelling_is_invalid(claim: str, spelling: str) -> None:
    assert reason(forge(claims={claim: f'"{spelling}"'})) == INVALID


@pytest.mark.parametrize("claim", ["iss", "aud"])
@pytest.mark.parametrize("change", [str.upper, "{}/".format, " {}".format, lambda text: text[:-1]])
def test_issuer_and_audience_are_compared_exactly(claim: str, change: Callable[[str], str]) -> None:
    right = str(CLAIMS[claim]).strip('"')
    assert reason(forge(claims={claim: f'"{change(right)}"'})) == INVALID


@pytest.mark.parametrize("late", [1, 0.5, 3600])
def test_token_is_good_before_its_expiry(late: float) -> None:
    claims = decode_token(RING, ISSUER, forge(claims={"exp": str(NOW_SECONDS + late)}))
    assert claims.expires_at == NOW + timedelta(seconds=late)


@pytest.mark.parametrize("early", [0, 0.5, 1, 3600, NOW_SECONDS])
def test_token_has_expired_from_its_expiry_on(early: float) -> None:
    why = refusal(forge(claims={"exp": str(NOW_SECONDS - early)}))
    assert isinstance(why, TokenExpired)
    assert why.expires_at == NOW - timedelta(seconds=early)
    assert why.issued_at == NOW
    assert why.key_id == RING.signing.id


def test_expired_token_tells_since_when() -> None:
    assert refusal(forge(claims={"exp": str(NOW_SECONDS - 60)})).extensions == {
        "code": "UNAUTHENTICATED",
        "reason": "TOKEN_EXPIRED",
        "expiredAt": "2026-07-01T11:59:00Z",
    }


def test_issued_token_expires_when_its_time_is_up(set_clock: Callable[[datetime], None]) -> None:
    token, claims = issue()
    set_clock(claims.expires_at - timedelta(microseconds=1))
    assert decode_token(RING, ISSUER, token) == claims
    set_clock(claims.expires_at)
    assert reason(token) == EXPIRED


def test_time_may_be_as_late_as_the_year_9999() -> None:
    issuer = Issuer(ISSUER.issuer, ISSUER.audience, 10**12)
    claims = decode_token(RING, issuer, forge(claims={"exp": str(END_OF_9999)}))
    assert claims.expires_at == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize("ahead", [-23 * 3600, 0, 59, 60])
def test_clock_of_the_issuer_may_be_a_minute_ahead(claim: str, ahead: int) -> None:
    claims = decode_token(RING, ISSUER, forge(claims={claim: str(NOW_SECONDS + ahead)}))
    assert claims.customer_id == CUSTOMER


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize("ahead", [60.5, 61, 3600])
def test_clock_of_the_issuer_may_be_no_further_ahead(claim: str, ahead: float) -> None:
    assert reason(forge(claims={claim: str(NOW_SECONDS + ahead)})) == INVALID


def test_issuing_in_the_future_is_invalid_even_if_it_may_be_used_now() -> None:
    claims = {"iat": str(NOW_SECONDS + 61), "nbf": str(NOW_SECONDS)}
    assert reason(forge(claims=claims)) == INVALID


@pytest.mark.parametrize(
    "fault",
    [
        {"iss": '"https://elsewhere.example"'},
        {"aud": '"another-api"'},
        {"sub": None},
        {"sid": "1"},
        {"jti": None},
        {"iat": None},
        {"iat": str(NOW_SECONDS + 61)},
        {"nbf": str(NOW_SECONDS + 61)},
        {"nbf": "null"},
    ],
    ids=str,
)
def test_expiry_is_judged_after_every_other_claim(fault: dict[str, str | None]) -> None:
    assert reason(forge(claims={"exp": str(NOW_SECONDS - 1), **fault})) == INVALID


class Elsewhere:
    """A signer whose key the ring lacks."""

    key_id = "gone"
    algorithm = "ES256"
    public_key = ""

    async def sign(self, data: bytes) -> bytes:
        """Return a signature."""
        return data


async def test_signer_whose_key_nobody_could_verify_signs_nothing() -> None:
    who = {"customer_id": CUSTOMER, "session_id": SESSION}
    with pytest.raises(KeysGone):
        await issue_token(Elsewhere(), RING, ISSUER, **who, not_after=LATEST, hints={})
