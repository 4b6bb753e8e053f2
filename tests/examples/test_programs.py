"""The examples as their readers run them: they sign in, list ten customers, and sign out."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

from tests.examples.driving import EXAMPLES, NODE, PERSON, seen
from tests.examples.interrupted import Proxy, interrupted
from tests.processes import PATIENCE, Server

pytestmark = pytest.mark.xdist_group("examples")

PROGRAMS: Mapping[str, Sequence[str]] = {
    "curl": ("sh", "curl/session.sh"),
    "python": (sys.executable, "python/client.py"),
    "apollo": (str(NODE), "typescript/dist/main.js", "apollo"),
    "urql": (str(NODE), "typescript/dist/main.js", "urql"),
}
DEEDS = {"SignIn": 1, "Customers": 1, "SignOut": 1}


BY_ITSELF = ("python", "apollo")
"""Examples that read why they get a 503; curl repeats it anyway, for all of it may run twice."""


def run(program: str, server: Server | Proxy, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run an example to its end."""
    given = {"URL": f"{server.url}/graphql", "EMAIL": PERSON.email, "PASSWORD": PERSON.password}
    return subprocess.run(  # noqa: S603  the examples' own commands
        PROGRAMS[program],
        cwd=EXAMPLES,
        env={**os.environ, **given, **changed},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_example_signs_in_lists_and_signs_out(program: str, server: Server) -> None:
    since = len(server.logged())
    done = run(program, server)
    assert done.returncode == 0, done.stderr
    *names, last = done.stdout.splitlines()
    assert len(names) == 10
    assert "signed out" in last.lower()
    assert seen(server, since) == DEEDS | ({"Refresh": 1} if program == "curl" else {})
    assert not re.search(r"eyJ|gar_", done.stdout + done.stderr)


@pytest.mark.parametrize("program", PROGRAMS)
def test_example_that_is_refused_says_why_and_fails(program: str, server: Server) -> None:
    password = """wrong "quotes" \\n 'and' $more é"""
    done = run(program, server, EMAIL=f"nobody.{program}@example.com", PASSWORD=password)
    assert done.returncode == 1
    sentence = "The e-mail address or the password is wrong."
    assert done.stderr.removeprefix("INVALID_CREDENTIALS: ") == f"{sentence}\n"
    assert done.stdout == ""


@pytest.mark.parametrize("program", PROGRAMS)
def test_example_that_lacks_what_it_needs_says_so_and_fails(program: str, server: Server) -> None:
    for missing in ("URL", "EMAIL", "PASSWORD"):
        done = run(program, server, **{missing: ""})
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "Set URL, EMAIL and PASSWORD.\n"


@pytest.mark.parametrize("program", PROGRAMS)
def test_example_waits_for_a_server_that_comes_back(program: str, server: Server) -> None:
    since = len(server.logged())
    page = b"<h1>Service Unavailable</h1>"
    with interrupted(server, page, None, page) as proxy:
        done = run(program, proxy)
    assert done.returncode == 0, done.stderr
    sign_in, sign_in_again, listing, listing_again, *_ = proxy.moments
    assert min(sign_in_again - sign_in, listing_again - listing) >= 1  # as Retry-After says
    assert seen(server, since) == DEEDS | ({"Refresh": 1} if program == "curl" else {})


@pytest.mark.parametrize("program", BY_ITSELF)
def test_example_sends_nothing_again_that_may_be_done(program: str, server: Server) -> None:
    error = {"message": "Busy.", "extensions": {"code": "SERVICE_UNAVAILABLE", "mayBeDone": True}}
    with interrupted(server, json.dumps({"errors": [error]}).encode()) as proxy:
        done = run(program, proxy)
    assert (done.returncode, done.stderr, done.stdout) == (1, "Busy.\n", "")
    assert len(proxy.moments) == 1


def test_curl_takes_any_password_literally(server: Server) -> None:
    email, password = "odd@example.com", """my "quotes" \\n 'and' $more é"""
    with server.client() as client:
        answer = client.post(
            "/graphql",
            json={
                "query": "mutation Elsewhere($input: RegisterInput!) { register(input: $input) "
                "{ status } }",
                "variables": {"input": {"name": "Q", "email": email, "password": password}},
            },
        )
    assert answer.json() == {"data": {"register": {"status": "SUCCESS"}}}
    done = run("curl", server, EMAIL=email, PASSWORD=password)
    assert done.returncode == 0, done.stderr
