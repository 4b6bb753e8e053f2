"""docs/extending.md: its shop is built step by step, and its reference has each public name."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from inspect import iscoroutinefunction, signature
from pathlib import Path
from typing import Any, Final, get_args

import httpx
import jwt
import pytest
from aiosmtpd.controller import Controller

import gql_app
from gql_app import Feature, verify
from gql_app.accounts.sessions import MAX_SESSIONS
from gql_app.extending import faults, hooks
from gql_app.extending.authenticators import AUTHENTICATION_TIMEOUT
from gql_app.lib.keyring import SIGNING_TIMEOUT
from gql_app.lib.keyring.compact import MAX_CLAIMS_BYTES, MAX_DEPTH
from gql_app.lib.pagination import DEFAULT_SIZE, MAX_COUNT, MAX_SIZE
from gql_app.settings import ADMIN_PASSWORD, PREFIX, Settings
from tests.extending.public_api import described
from tests.mailbox import HOST, Arrived, Mailbox
from tests.processes import (
    PATIENCE,
    ROOT,
    Server,
    environment,
    free_port,
    serving,
    sign_ins,
    signed_in,
)
from tests.shell import PASSWORD, Operator
from tests.test_commands import BLOCK, PROMPT, Shown, blocks, expected

pytestmark = pytest.mark.xdist_group("extending")  # each step stands on those before it

RULES: Final = re.MULTILINE | re.DOTALL
PAGE: Final = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
STEPS: Final = dict(re.findall(r"^### (\d+\. .+?)$(.*?)(?=^##)", PAGE, RULES))
PASSWORDS: Final = {
    "Ada": ("ada@example.com", "a loom for numbers"),
    "Grace": ("grace@example.com", PASSWORD),
}
TYPES: Final = "mypy --strict -p shop"
TYPES_OF_OURS: Final = ("--follow-imports=silent", f"--cache-dir={ROOT / 'build/types'}")
"""They are checked elsewhere, and read once for all who build on them."""
NOT_TYPED: Final = "python3 -m venv"
"""The beginning of the one command that is not typed: it asks the registry."""


@dataclass
class Shop:
    """Somebody who does what the page says, with a mailbox of their own."""

    operator: Operator
    mailbox: Mailbox
    left: list[str] = field(default_factory=lambda: [*STEPS])
    """The steps that are still to be done."""
    app: str = "shop.api:app"
    workers: tuple[str, ...] = ()
    answer: Any = None
    """What was answered last."""
    known: dict[str, str] = field(default_factory=dict)
    """The ids that were answered last, by the fields that had them."""
    stack: ExitStack = field(default_factory=ExitStack)
    """What is closed when the server stops."""
    server: Server | None = None
    client: httpx.Client | None = None
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the package is."""
        return self.operator.folder

    def follow_to(self, step: str) -> None:
        """Do all that is left up to a step."""
        while step in self.left:
            text = STEPS[self.left.pop(0)]
            self.answer = None
            for language, content in BLOCK.findall(text):
                getattr(self, f"follow_{language}")(content)

    def follow_python(self, content: str) -> None:
        """Write a file, or add to it."""
        self.stop()
        heading, _, code = content.partition("\n")
        name, _, continued = heading.removeprefix("# ").partition(", ")
        file = self.folder / name
        assert file.exists() is bool(continued), heading
        before = f"{file.read_text(encoding='utf-8')}\n\n" if continued else ""
        file.write_text(before + code, encoding="utf-8")

    def follow_diff(self, content: str) -> None:
        """Change a file."""
        self.stop()
        heading, *changes = content.splitlines()
        file = self.folder / heading.removeprefix("# ")
        lines, at = file.read_text(encoding="utf-8").splitlines(), 0
        for change in changes:
            kind, line = change[:1], change[1:]
            if kind == "+":
                lines.insert(at, line)
                at += 1
                continue
            assert line in lines[at:], f"{heading} has no {line!r} there"
            at = lines.index(line, at)
            if kind == "-":
                del lines[at]
            else:
                at += 1
        file.write_text("\n".join([*lines, ""]), encoding="utf-8")

    def follow_console(self, content: str) -> None:
        """Type commands, which print what is shown."""
        for one in (Shown(*each) for each in PROMPT.findall(content)):
            if one.command.startswith(NOT_TYPED):
                continue
            if found := re.fullmatch(r"gql-app (?:--app (\S+) )?serve ?(.*)", one.command):
                self.stop()
                self.app = found[1] or self.operator.variables["GQL_APP_APP"]
                self.workers = tuple(found[2].split()) if "workers" in found[2] else ()
                self.serve()
                continue
            if one.command.startswith("curl"):
                self.serve()
                self.operator.variables = {**self.operator.variables, "TOKEN": self.token("Ada")}
                if isinstance(self.answer, dict) and "makeKey" in (self.answer["data"] or {}):
                    key = self.answer["data"]["makeKey"]
                    self.operator.variables = {**self.operator.variables, "KEY": key}
            else:
                self.stop()
            printed = self.operator.type(f"{{ {one.command}\n}} 2>&1")
            if one.printed.strip():
                assert expected(one.printed).fullmatch(printed.strip()), printed

    def follow_graphql(self, document: str) -> None:
        """Run an operation on behalf of whom it says, and keep what is answered."""
        client = self.serve()
        caller = re.match(r"# as (\w+)", document)
        headers = {"Authorization": f"Bearer {self.token(caller[1])}"} if caller else {}
        variables = {name: self.known[name] for name in re.findall(r"\$(\w+): ", document)}
        sent = {"query": document, "variables": variables}
        self.answer = client.post("/graphql", json=sent, headers=headers).json()
        self._remember(self.answer["data"])

    def follow_json(self, content: str) -> None:
        """Compare with what was answered, or with the claims of a token."""
        shown = json.loads(content)
        answer = self.answer
        if answer is None:
            self.serve()
            claims = jwt.decode(self.token("Ada"), options={"verify_signature": False})
            answer = {name: claims[name] for name in shown}
        assert _masked(answer, shown) == shown

    def follow_text(self, content: str) -> None:
        """Compare with the letter that came last, or wait for a line of the log."""
        if not content.startswith("To: "):
            assert self.server is not None
            self.server.await_log(re.escape(content.strip()))
            return
        deadline = time.monotonic() + PATIENCE
        to, subject = content.splitlines()[:2]
        while not (letters := self._letters(to, subject)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        letter = letters[-1]
        self.mailbox.arrived.remove(letter)
        assert f"{to}\n{subject}\n\n{letter.text}" == content

    def _letters(self, to: str, subject: str) -> list[Arrived]:
        """Return the letters to somebody of a subject, each as a line of their heads."""
        return [
            each
            for each in self.mailbox.arrived
            if (f"To: {each.message['To']}", f"Subject: {each.message['Subject']}") == (to, subject)
        ]

    def serve(self) -> httpx.Client:
        """Serve the application as it is by now, unless that is done already."""
        if self.client is None:
            settings = {
                name.removeprefix(PREFIX).lower(): value
                for name, value in self.operator.variables.items()
                if name.startswith(PREFIX) and name != ADMIN_PASSWORD
            }
            settings["app"] = self.app
            running = serving(*self.workers, folder=self.folder, **settings)
            self.server = self.stack.enter_context(running)
            self.operator.port = self.server.port
            self.client = self.stack.enter_context(self.server.client())
        return self.client

    def stop(self) -> None:
        """Stop serving."""
        self.stack.close()
        self.client = None
        self.tokens.clear()

    def token(self, name: str) -> str:
        """Return a token of one of the shop's people."""
        if name not in self.tokens:
            self.tokens[name] = signed_in(self.serve(), *PASSWORDS[name])
        return self.tokens[name]

    def _remember(self, answered: object) -> None:
        fields = answered.items() if isinstance(answered, dict) else ()
        for name, value in fields:
            if isinstance(value, dict):
                if "id" in value:
                    self.known[name] = value["id"]
                self._remember(value)


def _masked(answer: Any, shown: Any) -> Any:  # noqa: ANN401 — JSON
    """Return an answer, in which a text that is shown cut short is cut short likewise."""
    if isinstance(answer, dict) and isinstance(shown, dict):
        return {name: _masked(value, shown.get(name)) for name, value in answer.items()}
    if isinstance(answer, list) and isinstance(shown, list):
        pairs = zip(answer, [*shown, *[None] * len(answer)], strict=False)
        return [_masked(*pair) for pair in pairs]
    if isinstance(shown, str) and shown.endswith("…"):
        return shown if str(answer).startswith(shown[:-1]) else answer
    return answer


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Begin a shop in an empty folder."""
    mailbox = Mailbox()
    letters = Controller(mailbox, hostname=HOST, port=free_port())
    letters.start()
    operator = Operator(tmp_path_factory.mktemp("shop"))
    url = f"smtp://{HOST}:{letters.port}"
    operator.variables = {**operator.variables, "GQL_APP_SMTP_URL": url}
    shop = Shop(operator, mailbox)
    yield shop
    shop.stop()
    letters.stop()


@pytest.mark.parametrize("step", STEPS)
def test_each_step_does_what_it_says(shop: Shop, step: str) -> None:
    shop.follow_to(step)
    assert step not in shop.left


def test_types_of_the_whole_shop_are_sound(shop: Shop) -> None:
    assert f"`{TYPES}`" in PAGE
    shop.follow_to([*STEPS][-1])
    done = subprocess.run(  # noqa: S603 — this very Python
        [sys.executable, "-m", *TYPES.split(), *TYPES_OF_OURS],
        cwd=shop.folder,
        env=environment() | {"MYPYPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_example_of_the_readme_greets_whoever_is_signed_in(tmp_path: Path) -> None:
    readme = ROOT / "README.md"
    [code] = [content for language, content in blocks(readme) if language == "python"]
    assert "`gql-app --app hello:app serve --demo`" in readme.read_text(encoding="utf-8")
    (tmp_path / "hello.py").write_text(code, encoding="utf-8")
    with serving("--demo", folder=tmp_path, app="hello:app") as server, server.client() as client:
        _, email, password = sign_ins(server)[0]
        sent = {"Authorization": f"Bearer {signed_in(client, email, password)}"}
        query = {"query": "{ me { name greeting } }"}
        me = client.post("/graphql", json=query, headers=sent).json()["data"]["me"]
    assert me["greeting"] == f"Hello, {me['name']}"


def sections(text: str) -> list[tuple[str, str]]:
    """Return the names that have a heading in the reference, and what is said of them."""
    found = re.findall(r"^#### ([^\n]+)$(.*?)(?=^##|\Z)", text, RULES)
    return [(name, said) for heading, said in found for name in re.findall(r"`(\w+)`", heading)]


OURS, _, VERIFY = PAGE.partition("\n## Reference\n")[2].partition("\n### Other services\n")
SECTIONS: Final = {
    **{getattr(verify, name): said for name, said in sections(VERIFY)},
    **{getattr(gql_app, name): said for name, said in sections(OURS)},
}
"""What the reference says, by what it is said of."""


def test_reference_has_every_public_name_once_and_no_other() -> None:
    assert sorted(name for name, _ in sections(OURS)) == sorted(gql_app.__all__)
    others = {*verify.__all__} - {*gql_app.__all__}
    assert sorted(name for name, _ in sections(VERIFY)) == sorted(others)


def test_reference_names_every_public_part() -> None:
    parts = re.findall(r"^(?:  )(\w+)\.(\w+)", "\n".join(described()), re.MULTILINE)
    assert len(parts) > 80
    said = dict(sections(OURS))
    silent = [
        f"{name}.{part}"
        for name, part in parts
        if part != "__init__" and not re.search(rf"[`.]{part}\b", said[name])
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (value, code)
        for value, said in SECTIONS.items()
        for code in re.findall(r"^```python\n((?:async )?(?:def|class) .*?)^```", said, RULES)
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_signatures_are_those_of_the_code(value: Any, shown: str) -> None:  # noqa: ANN401
    names: dict[str, Any] = {name: getattr(gql_app, name) for name in gql_app.__all__}
    exec(f"from __future__ import annotations\n{shown}", names)  # noqa: S102 — our own page
    stub = names[re.findall(r"(?:def|class) (\w+)", shown)[0]]
    if value is gql_app.Authenticator:
        assert len(signature(stub).parameters) == len(get_args(value)[0])
        return
    assert stub is not value
    assert _bare(stub) == _bare(value)
    assert iscoroutinefunction(stub) is iscoroutinefunction(value)


def _bare(function: Any) -> list[tuple[str, object, object]]:  # noqa: ANN401 — any of them
    """Return what a function takes, without the types."""
    taken = signature(function).parameters.values()
    return [(each.name, each.kind, each.default) for each in taken]


def test_limits_are_those_of_the_code() -> None:
    letters = Settings.model_fields["letters_per_day"].default
    for limit in (
        f"| 1 to {MAX_SIZE} rows, {DEFAULT_SIZE} by default |",
        f"| counts to {MAX_COUNT:,} |",
        f"| counted as {MAX_SESSIONS} rows,",
        f"| {letters} in 24 hours, by `GQL_APP_LETTERS_PER_DAY` |",
        f"| {hooks.MAX_WAITING:,}; more are dropped,",
        f"| {hooks.RUNNING}, for {hooks.TIMEOUT} seconds each;",
        f"waits {hooks.DRAIN_TIMEOUT} seconds for them |",
        f"| an authenticator | {AUTHENTICATION_TIMEOUT} seconds |",
        f"| a signature | {SIGNING_TIMEOUT} seconds |",
        f"| {MAX_CLAIMS_BYTES:,} bytes of JSON, nested by {MAX_DEPTH} levels |",
        f"| {faults.MAX_NAME} characters |",
    ):
        assert limit in PAGE


def test_events_are_those_of_the_code() -> None:
    table = OURS.partition("\n### Hooks\n")[2].partition("\n#### ")[0]
    assert re.findall(r"^\| `(\w+:\w+)`", table, re.MULTILINE) == [*hooks.EVENTS]


def test_fields_of_a_feature_are_those_of_the_code() -> None:
    said = dict(sections(OURS))["Feature"]
    rows = re.findall(r"^\| (`.*?) \|", said, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert named == [*Feature.__dataclass_fields__]
