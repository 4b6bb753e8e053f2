"""The clients of examples/ against the real server: tokens that expire, and sessions that end."""

import time
from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from gql_app.accounts.sessions import MAX_SESSIONS
from tests.examples.driving import (
    ADMIN,
    DRIVERS,
    PERSON,
    SECRET,
    WHO,
    Held,
    drive,
    expired,
    full_disk,
    refresh,
    refreshed,
    seen,
    sign_out,
    signed_in,
)
from tests.processes import Server, free_port, serving

pytestmark = [
    pytest.mark.xdist_group("examples"),
    pytest.mark.parametrize("client", DRIVERS),
]
TYPESCRIPT = ("apollo", "urql")
TIMES = 10
NEXT = (ADMIN.email, ADMIN.password)


def test_client_signs_in_and_lists(client: str, server: Server) -> None:
    since = len(server.logged())
    came = drive(client, server, sign_in=WHO, times=TIMES)
    assert came.failures == []
    assert came.listed == list(range(1, TIMES + 1))
    assert seen(server, since) == {"SignIn": 1, "Customers": TIMES}


def test_wrong_password_is_refused_by_its_code(client: str, server: Server) -> None:
    came = drive(client, server, sign_in=("nobody@example.com", PERSON.password))
    assert came.failures == ["INVALID_CREDENTIALS"]
    assert came.held is None


def test_expired_token_is_refreshed_once_for_all_who_wait(client: str, server: Server) -> None:
    before = expired(signed_in(server))
    since = len(server.logged())
    came = drive(client, server, held=before, times=TIMES)
    assert came.failures == []
    assert came.listed == list(range(1, TIMES + 1))
    assert seen(server, since) == {"Customers": 2 * TIMES, "Refresh": 1}
    assert came.held is not None
    assert came.held["token"] != before["token"]
    assert came.held["refreshToken"] != before["refreshToken"]
    assert came.told in {None, 0}


def test_revoked_token_signs_out_and_nothing_is_refreshed(client: str, server: Server) -> None:
    before = signed_in(server)
    sign_out(server, before)
    since = len(server.logged())
    came = drive(client, server, held=before, times=TIMES)
    assert came.listed == [None] * TIMES
    assert came.failures == ["TOKEN_REVOKED" if client == "urql" else "SignedOut"] * TIMES
    assert came.held is None
    assert came.told == (1 if client in TYPESCRIPT else None)
    sent = seen(server, since)
    # the first answer may come before the last request is sent, which then is not
    assert ({*sent}, 0 < sent["Customers"] <= TIMES) == ({"Customers"}, True)


def test_refused_refresh_signs_out_all_who_wait(client: str, server: Server) -> None:
    alive = signed_in(server)
    sign_out(server, alive)
    since = len(server.logged())
    came = drive(client, server, held=expired(alive), times=TIMES)
    assert came.failures == ["SignedOut"] * TIMES
    assert came.held is None
    assert came.told == (1 if client in TYPESCRIPT else None)
    assert seen(server, since) == {"Customers": TIMES, "Refresh": 1}


def test_server_that_cannot_be_reached_signs_nobody_out(client: str, server: Server) -> None:
    before = signed_in(server)
    before["expiresAt"] = time.time() * 1000 - 1
    came = drive(client, replace(server, port=free_port()), held=before, times=TIMES)
    assert came.listed == [None] * TIMES
    assert not {"SignedOut", "TOKEN_REVOKED"} & set(came.failures)
    assert came.held is not None
    assert came.held["refreshToken"] == before["refreshToken"]
    assert came.told in {None, 0}


def test_server_that_is_unavailable_signs_nobody_out(client: str, server: Server) -> None:
    alive = signed_in(server)
    with full_disk(server):
        came = drive(client, server, held=expired(alive), times=TIMES)
    assert came.listed == [None] * TIMES
    assert not {"SignedOut", "TOKEN_REVOKED"} & set(came.failures)
    assert came.held is not None
    assert came.held["refreshToken"] == alive["refreshToken"]
    assert came.told in {None, 0}
    again = drive(client, server, held=expired(alive), times=TIMES)
    assert again.listed == list(range(1, TIMES + 1))


@pytest.mark.usefixtures("server")  # which runs the clients
def test_refresh_beyond_the_limit_signs_nobody_out(client: str, tmp_path: Path) -> None:
    settings = {"secret_key": SECRET, "account_writes_per_hour": "1"}
    with serving("--demo", folder=tmp_path, **settings) as server:
        held = signed_in(server)
        for _ in range(2 * MAX_SESSIONS):  # the least limit, for tokens of an hour
            held = refreshed(server, held)
        came = drive(client, server, held=expired(held), times=2)
    assert came.failures == ["TOO_MANY_ATTEMPTS"] * 2
    assert came.held is not None
    assert came.held["refreshToken"] == held["refreshToken"]
    assert came.told in {None, 0}


def test_signing_out_with_an_expired_token_ends_the_session_all_the_same(
    client: str, server: Server
) -> None:
    before = signed_in(server)
    since = len(server.logged())
    came = drive(client, server, held=expired(before), last="sign out")
    assert came.failures == []
    assert came.held is None
    assert came.told == (1 if client in TYPESCRIPT else None)
    assert seen(server, since) == {"SignOut": 2, "Refresh": 1}
    assert refresh(server, before) == "TOKEN_REVOKED"


def test_refresh_under_way_brings_back_nobody_who_signed_out(client: str, server: Server) -> None:
    since = len(server.logged())
    came = drive(client, server, held=signed_in(server), last="forget")
    assert came.failures == ["SignedOut"]
    assert came.held is None
    assert seen(server, since) == {"Refresh": 1}


def test_sign_out_ends_no_session_of_the_next_customer(client: str, server: Server) -> None:
    before = signed_in(server)
    came = drive(client, server, held=before, last="hand over", next=NEXT, late="SignOut")
    assert (came.listed, came.failures) == ([None, 2], [])
    assert came.held is not None
    assert subject(came.held) != subject(before)
    assert refresh(server, before) == "TOKEN_REVOKED"


def test_sign_in_over_a_session_ends_that_one_here(client: str, server: Server) -> None:
    before = signed_in(server)
    came = drive(client, server, held=before, sign_in=NEXT, times=TIMES)
    assert came.failures == []
    assert came.listed == list(range(1, TIMES + 1))
    assert came.told == (1 if client in TYPESCRIPT else None)
    assert came.held is not None
    assert subject(came.held) != subject(before)


def test_request_is_not_retried_in_the_session_of_the_next_customer(
    client: str, server: Server
) -> None:
    before = signed_in(server)
    since = len(server.logged())
    came = drive(
        client, server, held=expired(before), last="hand over", next=NEXT, late="Customers"
    )
    assert came.listed == [None, 2]
    assert came.failures == ["TOKEN_EXPIRED" if client == "urql" else "SignedOut"]
    assert seen(server, since) == {"Customers": 2, "SignOut": 2, "Refresh": 1, "SignIn": 1}
    assert came.held is not None
    assert subject(came.held) != subject(before)


def test_refresh_under_way_concerns_no_request_of_the_next_customer(
    client: str, server: Server
) -> None:
    before = signed_in(server)
    since = len(server.logged())
    came = drive(client, server, held=expired(before), last="hand over", next=NEXT, late="Refresh")
    assert came.listed == [None, 2]
    assert came.failures == ["TOKEN_EXPIRED" if client == "urql" else "SignedOut"]
    listings = 3 if client == "urql" else 2
    assert seen(server, since) == {"Customers": listings, "Refresh": 1, "SignIn": 1}
    assert came.held is not None
    assert subject(came.held) != subject(before)


def subject(held: Held) -> object:
    """Return the id of the customer whose tokens these are."""
    return jwt.decode(held["token"], options={"verify_signature": False})["sub"]
