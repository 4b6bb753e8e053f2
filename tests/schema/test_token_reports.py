"""The token query: what became of a token, told to everyone and never an error."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from gql_app.settings import Settings
from tests.api import Api, running
from tests.people import PASSWORD, Kind, add_customer

REPORT: Final = "{ token { valid reason message issuedAt expiresAt keyId } }"
LOGIN: Final = f"""
mutation Login($email: String!) {{
  login(email: $email, password: "{PASSWORD}") {{ token expiresAt }}
}}
"""
HOUR: Final = timedelta(hours=1)


async def report(api: Api, token: str | None) -> dict[str, Any]:
    """Ask what became of a token."""
    found: dict[str, Any] = (await api.run(REPORT, token=token)).data["token"]
    assert found.pop("message")
    return found


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Kind.PLAIN, None),
        (Kind.OTHER, None),
        (Kind.ADMIN, None),
        (Kind.EXPIRED, "TOKEN_EXPIRED"),
        (Kind.REVOKED, "TOKEN_REVOKED"),
    ],
)
async def test_genuine_token_is_reported_with_its_own_words(
    api: Api, tokens: dict[Kind, str | None], kind: Kind, reason: str | None
) -> None:
    found = await report(api, tokens[kind])
    assert (found["valid"], found["reason"]) == (reason is None, reason)
    assert found["keyId"] == api.resources.keys.get().signing.id
    issued, expires = (datetime.fromisoformat(found[end]) for end in ("issuedAt", "expiresAt"))
    assert expires - issued == HOUR
    assert (expires <= datetime.now(UTC)) == (kind is Kind.EXPIRED)


@pytest.mark.parametrize(
    ("spelt", "reason"),
    [
        (None, "TOKEN_MISSING"),
        ("malformed", "TOKEN_MALFORMED"),
        ("{token} {token}", "TOKEN_MALFORMED"),
        ("{token}AAAA", "TOKEN_INVALID"),
        ("{expired}AAAA", "TOKEN_INVALID"),
    ],
)
async def test_token_that_is_not_genuine_has_no_words(
    api: Api, tokens: dict[Kind, str | None], spelt: str | None, reason: str
) -> None:
    token = spelt and spelt.format(token=tokens[Kind.PLAIN], expired=tokens[Kind.EXPIRED])
    assert await report(api, token) == {
        "valid": False,
        "reason": reason,
        "issuedAt": None,
        "expiresAt": None,
        "keyId": None,
    }


@pytest.mark.parametrize("seconds", [1, 90, 86_400 * 365])
async def test_token_lives_as_long_as_the_settings_have_it(
    settings: Settings, set_clock: Callable[[datetime], None], seconds: int
) -> None:
    signed_in = datetime(2030, 1, 31, 12, 0, 0, tzinfo=UTC)
    async with running(settings.model_copy(update={"access_token_ttl": seconds})) as api:
        row = await add_customer(api.database, "Ada Plain")
        set_clock(signed_in)
        login = (await api.run(LOGIN, email=row.email)).data["login"]
        end = signed_in + timedelta(seconds=seconds)
        assert datetime.fromisoformat(login["expiresAt"]) == end
        for moment, reason in (
            (end - timedelta(microseconds=1), None),
            (end, "TOKEN_EXPIRED"),
            (end + HOUR, "TOKEN_EXPIRED"),
        ):
            set_clock(moment)
            assert (await report(api, login["token"]))["reason"] == reason


async def test_token_may_live_until_the_end_of_time(settings: Settings) -> None:
    async with running(settings.model_copy(update={"access_token_ttl": 10**15})) as api:
        row = await add_customer(api.database, "Ada Plain")
        login = (await api.run(LOGIN, email=row.email)).data["login"]
        assert login["expiresAt"] == "9999-12-31T23:59:59Z"
        assert (await report(api, login["token"]))["valid"] is True
