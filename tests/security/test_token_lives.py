"""How long a token may be meant to live, to the second."""

from datetime import timedelta

import pytest

from gql_app.errors import TokenInvalid, TokenReason
from gql_app.security.tokens import Issuer, decode_token
from tests.security.forging import CUSTOMER, ISSUER, NOW, NOW_SECONDS, RING, forge, reason

DAY = 24 * 3600
END_OF_9999 = 253_402_300_799

pytestmark = pytest.mark.usefixtures("stopped_clock")


@pytest.mark.parametrize("late", [0, 1, DAY])
@pytest.mark.parametrize("ttl", [1, 3600, DAY])
def test_token_may_be_meant_to_live_a_day_whatever_is_set(ttl: int, late: int) -> None:
    token = forge(claims={"iat": str(NOW_SECONDS - late), "exp": str(NOW_SECONDS - late + DAY)})
    issuer = Issuer(ISSUER.issuer, ISSUER.audience, ttl)
    if late < DAY:
        assert decode_token(RING, issuer, token).customer_id == CUSTOMER
    else:
        assert reason(token) == TokenReason.TOKEN_EXPIRED


@pytest.mark.parametrize("ttl", [1, 3600, DAY, DAY + 1, 10**7])
def test_token_meant_to_live_longer_than_is_set_is_invalid(ttl: int) -> None:
    """ASVS 7.3.2: what lives has a longest life."""
    issuer = Issuer(ISSUER.issuer, ISSUER.audience, ttl)
    longest = NOW_SECONDS + max(ttl, DAY)
    good = decode_token(RING, issuer, forge(claims={"exp": str(longest)}))
    assert good.expires_at == NOW + timedelta(seconds=max(ttl, DAY))
    for exp in (longest + 1, longest + 0.5, END_OF_9999):
        with pytest.raises(TokenInvalid):
            decode_token(RING, issuer, forge(claims={"exp": str(exp)}))


def test_token_whose_long_life_has_passed_is_invalid_and_not_expired() -> None:
    claims = {"iat": str(NOW_SECONDS - 2 * DAY), "exp": str(NOW_SECONDS - 1)}
    assert reason(forge(claims=claims)) == TokenReason.TOKEN_INVALID


@pytest.mark.parametrize(("iat", "exp"), [(60, 60), (60, 1), (0, 0.5)])
def test_expiry_before_the_issuing_is_no_fault_of_its_own(iat: float, exp: float) -> None:
    times = {"iat": str(NOW_SECONDS + iat), "exp": str(NOW_SECONDS + exp)}
    assert decode_token(RING, ISSUER, forge(claims=times)).customer_id == CUSTOMER
