"""The examples as their readers run them: they sign in, list ten customers, and sign out."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

from tests.examples.driving import EXAMPLES, NODE, PERSON, seen
from tests.processes import PATIENCE, Server

pytestmark = pytest.mark.xdist_group("examples")

PROGRAMS: Mapping[str, Sequence[str]] = {
    "curl": ("sh", "curl/session.sh"),
    "python": (sys.executable, "python/client.py"),
    "apollo": (str(NODE), "typescript/src/main.ts", "apollo"),
    "urql": (str(NODE), "typescript/src/main.ts", "urql"),
}
DEEDS = {"SignIn": 1, "Customers": 1, "SignOut": 1}


def run(program: str, server: Server, **changed: str) -> subprocess.CompletedProcess[str]:
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
    assert done.returncode != 0
    assert "The e-mail address or the password is wrong." in done.stderr
    assert done.stdout == ""
    assert password not in done.stderr


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
