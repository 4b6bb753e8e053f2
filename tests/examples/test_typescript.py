"""What the TypeScript clients of examples/ have beside the others: a clock, and late answers."""

import time

import pytest

from tests.examples.driving import DRIVERS, ORIGIN, WHO, drive, expired, seen, signed_in
from tests.processes import Server

pytestmark = [
    pytest.mark.xdist_group("examples"),
    pytest.mark.parametrize("client", sorted(DRIVERS.keys() - {"python"})),
]
TIMES = 10
HOUR = 3600_000
"""In milliseconds, as JavaScript counts."""


def test_token_that_has_expired_by_the_clock_is_not_even_sent(client: str, server: Server) -> None:
    before = signed_in(server)
    before["expiresAt"] = time.time() * 1000 - 1
    since = len(server.logged())
    came = drive(client, server, held=before, times=TIMES)
    assert came.failures == []
    assert came.listed == list(range(1, TIMES + 1))
    assert seen(server, since) == {"Refresh": 1, "Customers": TIMES}
    assert came.held is not None
    assert came.held["expiresAt"] is not None
    assert 0 < came.held["expiresAt"] - time.time() * 1000 <= HOUR


def test_clock_that_is_behind_does_no_harm(client: str, server: Server) -> None:
    before = expired(signed_in(server))
    before["expiresAt"] = time.time() * 1000 + HOUR
    since = len(server.logged())
    came = drive(client, server, held=before, times=1)
    assert came.failures == []
    assert seen(server, since) == {"Refresh": 1, "Customers": 2}


def test_token_that_was_dead_on_arrival_by_a_wrong_clock_is_used_all_the_same(
    client: str, server: Server
) -> None:
    since = len(server.logged())
    came = drive(client, server, sign_in=WHO, ahead=2 * HOUR, times=TIMES)
    assert came.listed == list(range(1, TIMES + 1))
    assert seen(server, since) == {"SignIn": 1, "Customers": TIMES}


def test_session_alone_retries_nothing_in_the_next_customers(client: str, server: Server) -> None:
    before = expired(signed_in(server))
    since = len(server.logged())
    came = drive(
        client, server, held=before, last="hand over", next=WHO, late="Customers", bare=True
    )
    assert (came.listed, came.failures) == ([None, 2], ["SignedOut"])
    assert seen(server, since) == {"Customers": 2, "SignOut": 2, "Refresh": 1, "SignIn": 1}


def test_refusal_that_comes_after_the_refresh_causes_no_other(client: str, server: Server) -> None:
    since = len(server.logged())
    came = drive(client, server, held=expired(signed_in(server)), times=1)
    assert came.again is True
    assert seen(server, since) == {"Refresh": 1, "Customers": 2}


def test_page_of_a_named_origin_may_send_every_header_that_its_client_sends(
    client: str, server: Server
) -> None:
    came = drive(client, server, sign_in=WHO, times=1)
    assert came.sent is not None
    assert {"authorization", "content-type"} <= set(came.sent)
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ", ".join(sorted(came.sent)),
    }
    with server.client() as page:
        answer = page.options("/graphql", headers=asked)
    assert answer.status_code == 204, answer.text
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {name.lower() for name in came.sent} <= set(allowed)
