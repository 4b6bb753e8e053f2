"""Every command that README and docs show at a prompt is run here, or is listed with a reason."""

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from gql_app.settings import Settings
from tests.databases import Postgres
from tests.processes import ROOT, Server, serving
from tests.shell import Operator

pytestmark = pytest.mark.xdist_group("commands")  # the demo is started once

ELSEWHERE: Final = {
    r"make (run|lint|test|fresh-check)": "make fresh-check runs them",
    r"make migration .*": "db/test_migration_command.py runs it in a copy with other tables",
    r"make bench(-\w+)?": "they measure: minutes, on a machine that does nothing else",
    r"make common-passwords": "test_password_policy.py makes the list anew and compares",
    r"make upgrade-check": "it asks the registry for what is newest, and runs the suite",
    r"make lock": "it asks the registry for what is newest",
    r"make screenshot": "it draws a picture anew, in a way that the tests of the playground go",
    r"make test-distributed .*": "it takes a Citus cluster, which no lock brings",
    r"gql-app distribute": "as make test-distributed, whose tests run it",
    r"make test-pages": "playground/test_views.py is part of the suite, in part",
    r"make test-operating": "it needs programs of the system",
    r"make conformance": "it asks the registry for the tests of graphql-core",
    r"pipx install .*": "it asks the registry; test_shipping.py builds and installs the wheel",
    r"pip install 'gql.*": "it asks the registry; the dev lock has the same",
    r"pip install gql-app": "it asks the registry; test_shipping.py builds and installs the wheel",
    r"/opt/gql_app-[\d.]+/bin/pip .*": "it asks the registry; fresh_check.py installs the lock",
    r"(python3 -m venv|ln -sfn|install) .*": "it changes folders of the machine",
    r"export PIPX_HOME=.*": "it is for pipx",
    r"(systemctl|systemd-run|journalctl) .*": "test_deploy.py does what the unit says",
    r"curl --retry .*": "it waits for what systemctl has started",
    r"nginx -t": "operating/test_nginx.py runs nginx by that file",
    r"kubectl .*": "no cluster is here; test_deploy.py reads the files",
    r"useradd .*": "it makes an account of the machine",
    r"npm (ci|run build)": "make test has done both, by the same lock and of the same sources",
    r"curl -s https://accounts\.example\.com/.*": "nobody is there; test_introspection.py asks",
    r"gql-app import .* --invite": "it takes mail, which test_cli_import.py has",
    r"gql-app letters send-test .*": "no mail server is there; test_cli_letters.py has one",
    r"python examples/python/second_factor\.py|npm start codes": "they ask for codes, which "
    "examples/test_second_factors.py types",
    r"sleep 10": "the demo of these tests has no grace period",
    r"jq .*": "jq is none of ours, and not everywhere",
}
"""Commands that are not run here, and why."""
FILES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
STEPS: Final = "extending.md"
"""A page whose commands stand on its code: test_extending.py types them."""
QUOTED: Final = {
    *(("docs/clients.md", "sh"), ("docs/containers.md", "sh"), ("docs/operating.md", "sh")),
}
"""Blocks of shell without a prompt: test_guide.py finds the file, test_operating.py runs them."""
BLOCK: Final = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
PROMPT: Final = re.compile(r"^\$ ((?:.*\\\n)*.*)\n?((?:(?!\$ ).*\n?)*)", re.MULTILINE)
VARIES: Final = re.compile(r'"(?:20\d\d-[\d-]+T[\d:.]+Z|[\w-]*…)"')
"""A moment, or what is cut short."""
BIN: Final = Path(sys.executable).parent
AT_ONCE: Final = "refresh_grace_seconds"
"""A setting of the demo, so that what happens some time later happens at once."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A command of the docs, and what it is said to print."""

    typed: str
    printed: str

    @property
    def command(self) -> str:
        """Return what is typed, without the remark behind it."""
        return re.sub(r"\s+#.*$", "", self.typed)


def blocks(file: Path) -> list[tuple[str, str]]:
    """Read the fenced blocks of a file: their languages and contents."""
    return BLOCK.findall(file.read_text(encoding="utf-8"))


def shown(file: Path) -> list[Shown]:
    """Read the commands of a file, in their order."""
    consoles = [content for language, content in blocks(file) if language == "console"]
    return [Shown(*each) for content in consoles for each in PROMPT.findall(content)]


def reason(command: str) -> str | None:
    """Return why a command is not run here; None if it is."""
    return next((why for each, why in ELSEWHERE.items() if re.fullmatch(each, command)), None)


class Reader(Operator):
    """Somebody who types what README and docs show, with their own names and numbers in it."""

    def __init__(self, folder: Path, demo: int, database: str) -> None:
        super().__init__(folder)
        path = os.pathsep.join([str(BIN), self.variables["PATH"]])
        self.variables = {**self.variables, "PATH": path}
        self.port, self._database = demo, database
        self._printed = ""

    def follow(self, command: str) -> str:
        """Type a command, and return what it prints; a server serves until it answers."""
        command = self._own(command)
        if command.startswith("gql-app serve"):
            with self.serving(*shlex.split(command)[2:]) as client:
                assert client.get("/livez").status_code == 200
            return ""
        self._printed = self.type(command) or self._printed
        return self._printed

    def _own(self, command: str) -> str:
        """Put in what differs from reader to reader."""
        command = command.replace("postgresql://gql_app:…@db.internal/gql_app", self._database)
        command = re.sub(r"^make ", f"make --assume-old=.venv/run BIN={BIN} ", command)
        command = re.sub(r"(?<==)(eyJ|gar_)[\w-]*…$", lambda found: self._last(found[1]), command)
        if found := re.match(r"gql-app keys (?:promote|retire) (\w+)", command):
            listed = self.type("gql-app keys list")
            (verifying,) = re.findall(r"^(\S+) +\S+ +verifying", listed, re.MULTILINE)
            command = command.replace(found[1], str(verifying)[:8])
        assert "…" not in command
        return command

    def _last(self, beginning: str) -> str:
        """Return the whole of what is shown cut short, from the last answer."""
        (found,) = re.findall(rf'"({beginning}[^"]+)"', self._printed)
        return str(found)


def expected(printed: str) -> re.Pattern[str]:
    """Make a pattern of what is shown, in which only what varies may differ."""
    return re.compile('"[^"]+"'.join(map(re.escape, VARIES.split(printed.strip()))))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run one demo for all who read."""
    assert AT_ONCE in Settings.model_fields
    with serving("--demo", folder=tmp_path_factory.mktemp("demo"), **{AT_ONCE: "0"}) as server:
        yield server


@pytest.fixture
def reader(tmp_path: Path, demo: Server, postgres: Postgres) -> Iterator[Reader]:
    """Sit somebody down before a checkout, the demo running, with files of their own."""
    examples, modules = tmp_path / "examples", "typescript/node_modules"
    shutil.copytree(ROOT / "examples", examples, ignore=shutil.ignore_patterns("node_modules"))
    (examples / modules).symlink_to(ROOT / "examples" / modules)
    for name in ("Makefile", "schema.graphql"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "main.py").symlink_to(ROOT / "main.py")
    (tmp_path / "customers.csv").write_text("name,email\nAda Example,ada@example.com\n")
    with gzip.open(tmp_path / "theirs.jsonl.gz", "wt") as file:
        file.write('{"name": "Bob Example", "email": "bob@example.com"}')
    with postgres.copied("template1") as url:
        yield Reader(tmp_path, demo.port, url)


@pytest.mark.parametrize(
    "file",
    [each for each in FILES if shown(each) and each.name != STEPS],
    ids=lambda file: file.name,
)
def test_every_command_does_what_is_shown(file: Path, reader: Reader) -> None:
    for one in shown(file):
        if reason(one.command) is None:
            printed = reader.follow(one.command)
            if one.printed.strip():
                assert expected(one.printed).fullmatch(printed.strip()), printed


def test_every_reason_is_of_a_command_that_is_shown() -> None:
    commands = [one.command for file in FILES for one in shown(file)]
    assert not [each for each in ELSEWHERE if not any(re.fullmatch(each, one) for one in commands)]


def test_every_block_of_shell_has_a_prompt_or_another_test() -> None:
    found = {
        (str(file.relative_to(ROOT)), language)
        for file in FILES
        for language, content in blocks(file)
        if language in {"", "bash", "sh", "shell"} or content.startswith("$ ")
    }
    assert {each for each in found if each[1] != "console"} == QUOTED


def test_every_make_that_is_shown_is_one_of_the_makefile() -> None:
    targets = re.findall(
        r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    for file in FILES:
        said = re.findall(
            r"(?:^\$ |`)make ([\w-]+)", file.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert set(said) <= set(targets)


def test_every_test_that_the_makefile_names_exists() -> None:
    lists = "$(COVERING) $(ELSEWHERE) $(FLEET) $(DISTRIBUTED) $(LEFT_OUT)"
    printing = f"include Makefile\nprinted:\n\t@echo {lists}\n"
    command = ["make", "--no-print-directory", "-f", "-", "printed"]
    named = subprocess.check_output(command, cwd=ROOT, input=printing, encoding="utf-8").split()  # noqa: S603 — the list above
    tests = [each.partition("::") for each in named]
    assert not [path for path, _, _ in tests if not (ROOT / path).exists()]
    assert all(test in (ROOT / path).read_text(encoding="utf-8") for path, _, test in tests if test)
