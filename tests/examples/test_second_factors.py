"""The examples of second factors as their readers run them: codes are typed in."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from threading import Timer
from typing import Any, Final

import pytest

from tests.apps import App
from tests.examples.driving import EXAMPLES, NODE
from tests.people import PASSWORD
from tests.processes import PATIENCE, Server, environment

pytestmark = pytest.mark.xdist_group("examples")

PROGRAMS: Final[Mapping[str, Sequence[str]]] = {
    "python": (sys.executable, "python/second_factor.py"),
    "typescript": (str(NODE), "typescript/dist/main.js", "codes"),
}
REGISTER: Final = """mutation Elsewhere($input: RegisterInput!) {
  register(input: $input) { token } }"""
BEGIN: Final = "mutation Elsewhere { beginCodes { secret } }"
CONFIRM: Final = "mutation Elsewhere($code: String!) { confirmCodes(code: $code) { codes } }"


class Terminal:
    """A program, and somebody who reads what it prints and types what it asks for."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program
        self._printed = ""

    def read(self, pattern: str) -> str:
        """Wait until it has printed something, and return what."""
        assert self._program.stdout
        while not (found := re.search(pattern, self._printed)):
            more = self._program.stdout.read(1)
            assert more, self._printed
            self._printed += more
        self._printed = self._printed[found.end() :]
        return found[found.lastindex or 0]

    def answer(self, prompt: str, line: str) -> None:
        """Type a line once it is asked for."""
        self.read(f"{prompt}: ")
        assert self._program.stdin
        self._program.stdin.write(f"{line}\n")
        self._program.stdin.flush()

    def recovery_codes(self) -> list[str]:
        """Read ten codes, and that the program has signed out."""
        printed = self.read(r"(?s)Recovery codes:\n(.+?)\nSigned out\.\n")
        codes = printed.splitlines()
        assert len(codes) == 10
        return codes


@contextmanager
def running(program: str, server: Server, email: str) -> Iterator[Terminal]:
    """Run an example for as long as the block lasts, by whose end it must have succeeded."""
    given = {"URL": f"{server.url}/graphql", "EMAIL": email, "PASSWORD": PASSWORD}
    with subprocess.Popen(  # noqa: S603 — the examples' own commands
        PROGRAMS[program],
        cwd=EXAMPLES,
        env={**environment(), **given},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        deadline = Timer(PATIENCE, process.kill)
        deadline.start()
        try:
            yield Terminal(process)
            assert process.wait() == 0
        finally:
            process.kill()
            deadline.cancel()


def register(server: Server, email: str) -> str:
    """Register somebody, and return the access token."""
    given = {"name": "Ada", "email": email, "password": PASSWORD}
    token: str = ask(server, REGISTER, None, input=given)["register"]["token"]
    return token


def enrol(server: Server, email: str) -> tuple[App, list[str]]:
    """Register somebody with an app, by the API, and return it with the recovery codes."""
    token = register(server, email)
    app = App(ask(server, BEGIN, token)["beginCodes"]["secret"])
    codes: list[str] = ask(server, CONFIRM, token, code=app.code())["confirmCodes"]["codes"]
    return app, codes


def ask(server: Server, query: str, token: str | None, **variables: object) -> dict[str, Any]:
    """Return the data of an answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with server.client() as client:
        body = {"query": query, "variables": variables}
        answer = client.post("/graphql", json=body, headers=headers).json()
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data


def age(server: Server, email: str) -> None:
    """Have every session of somebody be proven years ago."""
    with closing(sqlite3.connect(server.stderr.parent / "demo.db")) as db, db:
        its = "customer_id = (SELECT id FROM customers WHERE email = ?)"
        then = "'2020' || substr(authenticated_at, 5)"
        changed = db.execute(f"UPDATE sessions SET authenticated_at = {then} WHERE {its}", [email])  # noqa: S608 — ours
        assert changed.rowcount > 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_example_sets_an_app_up_and_signs_in_by_a_code_from_then_on(
    program: str, server: Server
) -> None:
    email = f"{program}@codes.example.com"
    register(server, email)
    with running(program, server, email) as terminal:
        app = App(terminal.read(r"otpauth://\S+[?&]secret=([A-Z2-7]+)&"))
        terminal.answer("Its code", app.code())
        codes = terminal.recovery_codes()
    with running(program, server, email) as terminal:
        terminal.answer("The code of your app, or a recovery code", codes[0])
        terminal.answer("Enter makes new recovery codes", "")
        made = terminal.recovery_codes()
    assert set(made).isdisjoint(codes)


@pytest.mark.parametrize("program", PROGRAMS)
def test_example_proves_again_who_it_is_where_that_was_too_long_ago(
    program: str, server: Server
) -> None:
    email = f"{program}@proofs.example.com"
    _, codes = enrol(server, email)
    with running(program, server, email) as terminal:
        terminal.answer("The code of your app, or a recovery code", codes[0])
        terminal.read("Enter makes new")
        age(server, email)
        terminal.answer("recovery codes", "")
        terminal.answer("Another code, to prove that it is you", codes[1])
        assert set(terminal.recovery_codes()).isdisjoint(codes)


@pytest.mark.parametrize("program", PROGRAMS)
def test_example_proves_by_the_password_where_there_is_no_factor(
    program: str, server: Server
) -> None:
    email = f"{program}@passwords.example.com"
    register(server, email)
    with running(program, server, email) as terminal:
        app = App(terminal.read(r"otpauth://\S+[?&]secret=([A-Z2-7]+)&"))
        age(server, email)
        terminal.answer("Its code", app.code())
        terminal.answer("Your password again", PASSWORD)
        app = App(terminal.read(r"otpauth://\S+[?&]secret=([A-Z2-7]+)&"))
        terminal.answer("Its code", app.code())
        assert len(terminal.recovery_codes()) == 10


@pytest.mark.parametrize("program", PROGRAMS)
def test_example_that_is_given_a_wrong_code_says_so_and_fails(program: str, server: Server) -> None:
    email = f"{program}@wrong.example.com"
    app, _ = enrol(server, email)
    given = {"URL": f"{server.url}/graphql", "EMAIL": email, "PASSWORD": PASSWORD}
    done = subprocess.run(  # noqa: S603 — the examples' own commands
        PROGRAMS[program],
        cwd=EXAMPLES,
        env={**environment(), **given},
        input=f"{app.wrong()}\n",
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "This code is wrong, or it was used before.\n"
