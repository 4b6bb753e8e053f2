"""What the examples keep to in scripts of their own: React, and answers that come late."""

import json
import os
import subprocess
from typing import Any

import pytest

from tests.examples.driving import NODE, PERSON
from tests.processes import PATIENCE, ROOT, Server

pytestmark = pytest.mark.xdist_group("examples")


def printed(script: str, server: Server) -> list[Any]:
    """Return what a script prints, line by line."""
    given = {"URL": f"{server.url}/graphql", "EMAIL": PERSON.email, "PASSWORD": PERSON.password}
    lines = subprocess.check_output(  # noqa: S603 — ours
        [str(NODE), str(ROOT / "tests/examples" / script)],
        env={**os.environ, **given},
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    return [json.loads(line) for line in lines.splitlines()]


def test_component_follows_who_is_signed_in(server: Server) -> None:
    nobody = {"isSignedIn": False, "customers": None}
    somebody = {"isSignedIn": True, "customers": 3}
    assert printed("react.mjs", server) == [nobody, somebody, nobody]


def test_answer_that_comes_after_the_sign_out_is_not_for_the_next_customer(server: Server) -> None:
    assert printed("late.mjs", server) == [{"came": "SignedOut", "cached": []}]
