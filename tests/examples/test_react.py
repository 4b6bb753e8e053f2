"""The React example: a component follows who is signed in."""

import json
import os
import subprocess

import pytest

from tests.examples.driving import NODE, PERSON
from tests.processes import PATIENCE, ROOT, Server

pytestmark = pytest.mark.xdist_group("examples")


def test_component_follows_who_is_signed_in(server: Server) -> None:
    given = {"URL": f"{server.url}/graphql", "EMAIL": PERSON.email, "PASSWORD": PERSON.password}
    printed = subprocess.check_output(  # noqa: S603 — ours
        [str(NODE), str(ROOT / "tests/examples/react.mjs")],
        env={**os.environ, **given},
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    nobody = {"isSignedIn": False, "customers": None}
    somebody = {"isSignedIn": True, "customers": 3}
    assert [json.loads(line) for line in printed.splitlines()] == [nobody, somebody, nobody]
