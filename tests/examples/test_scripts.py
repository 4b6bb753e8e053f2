"""What the examples keep to in scripts of their own: React, late and lost answers, two tabs."""

import json
import os
import subprocess
from typing import Any

import pytest

from tests.examples.driving import ADMIN, NODE, PERSON, expired, signed_in
from tests.processes import PATIENCE, ROOT, Server

pytestmark = pytest.mark.xdist_group("examples")


def printed(script: str, server: Server, **more: str) -> list[Any]:
    """Return what a script prints, line by line."""
    given = {"URL": f"{server.url}/graphql", "EMAIL": PERSON.email, "PASSWORD": PERSON.password}
    lines = subprocess.check_output(  # noqa: S603 — ours
        [str(NODE), str(ROOT / "tests/examples" / script)],
        env={**os.environ, **given, **more},
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    return [json.loads(line) for line in lines.splitlines()]


def test_component_follows_who_is_signed_in(server: Server) -> None:
    nobody = {"isSignedIn": False, "customers": None, "emails": None}
    somebody = {"isSignedIn": True, "customers": 3, "emails": 0}
    everything = {**somebody, "emails": 3}
    admin = {"ADMIN": ADMIN.email, "ADMIN_PASSWORD": ADMIN.password}
    expected = [nobody, somebody, nobody, somebody, everything]
    assert printed("react.mjs", server, **admin) == expected


def test_lost_refresh_holds_up_no_request_forever(server: Server) -> None:
    held = json.dumps(expired(signed_in(server)))
    [came] = printed("lost.mjs", server, HELD=held, LOST="refresh")
    assert came == {
        "first": "TimeoutError",
        "next": 3,
        "meanwhile": {"isHeld": True, "ends": 0},
        "milliseconds": 30_000,
    }


def test_sign_out_drops_the_tokens_before_the_server_answers(server: Server) -> None:
    held = json.dumps(signed_in(server))
    [came] = printed("lost.mjs", server, HELD=held, LOST="logout")
    assert came == {
        "first": "TimeoutError",
        "next": None,
        "meanwhile": {"isHeld": False, "ends": 1},
        "milliseconds": 30_000,
    }


def test_answer_that_comes_after_the_sign_out_is_not_for_the_next_customer(server: Server) -> None:
    expected = {"came": "SignedOut", "next": "answered", "cached": []}
    assert printed("late.mjs", server) == [expected]


def test_refresh_of_another_tab_is_no_sign_out(server: Server) -> None:
    held = json.dumps(expired(signed_in(server)))
    expected = {"listed": [1, 1], "refreshes": 2, "ends": 0, "again": [1, 1]}
    assert printed("tabs.mjs", server, HELD=held) == [expected]
