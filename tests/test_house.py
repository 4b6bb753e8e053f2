"""The laws of the house; one that fails says in a sentence what to do."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.applications import Starlette

from gql_app.lib.database import Database
from gql_app.lib.engine import Schema
from gql_app.lib.keyring import KeyRing
from gql_app.resources import Resources
from gql_app.security.passwords import Passwords
from gql_app.settings import Settings
from tests.databases import copied_sqlite
from tests.laws import (
    ALLOWED,
    CEILING,
    LAYERS,
    LONGEST_FILE,
    MACHINERY,
    MODULES,
    NORMALISING,
    PACKAGE,
    ROOT,
    breaches,
    deep_imports,
    folder,
    has_summary_line,
    import_cycle,
    is_core,
    normalises,
    private_names,
)
from tests.processes import MAIN, environment

BUILT = (Database, KeyRing, Passwords, Resources, Schema, Settings, Starlette)
SCRIPTS = ("main", "db.migrations.env")
"""What is run, not imported."""
PACKAGES = sorted(
    {name.split(".")[1] for name in MODULES if name.count(".") == 1}
    & {each.name for each in (ROOT / PACKAGE / MACHINERY).iterdir() if each.is_dir()}
)
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
HEAVY = {"graphql", "starlette", "strawberry", "uvicorn"}
"""What only a server, or the schema, is worth waiting for."""
SELDOM = {"aiosmtplib", "alembic", "jinja2", "opentelemetry", "segno", "webauthn", "zxcvbn"}
"""What most servers never need, and none before its first letter, migration or password."""
DRIVERS = {"asyncpg", "pydantic_settings", "sqlalchemy"}
"""What only settings, or a database, are worth waiting for."""
COMMAND = "from gql_app.cli import command_line as cli; cli({0})({0}, standalone_mode=False)"
STARTS = Mapping[str, tuple[str, set[str]]]
"""By name, the code of a start and the modules that neither it nor one before it loads."""
COMMANDS: STARTS = {
    "worker's look at main.py": (
        f"import runpy; runpy.run_path({MAIN[1]!r}, run_name='__mp_main__')",
        {"gql_app"},
    ),
    "verifier": ("import gql_app.verify", HEAVY | SELDOM | DRIVERS | {"typer"}),
    "command line": ("import gql_app.cli", HEAVY | SELDOM | DRIVERS),
    "help": (COMMAND.format(["--help"]), HEAVY | SELDOM | DRIVERS),
    "version": (COMMAND.format(["version"]), HEAVY | SELDOM | DRIVERS),
    "keys": ("import gql_app.cli.keys", HEAVY | SELDOM | DRIVERS - {"pydantic_settings"}),
    "export": (COMMAND.format(["export", "--format", "csv"]), HEAVY),
    "commands on accounts": (
        "import gql_app.cli.accounts, gql_app.cli.imports, gql_app.cli.letters",
        HEAVY,
    ),
}
SERVERS: STARTS = {
    "application": ("import gql_app.app", SELDOM | {"typer"}),
    "serve": (
        "import gql_app.cli.serve, gql_app.lib.server, gql_app.app",
        SELDOM | {"rich.progress"},
    ),
}
MARK = "loaded: "
STARTING = f"""
import json, sys
for start in json.loads(sys.argv[1]):
    exec(start)
    print({MARK!r}, *sys.modules, flush=True)
"""
IMPORTED = [f"{PACKAGE}.{module}" for module in MODULES if module and module not in SCRIPTS]


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_and_libraries_stay_at_home(module: str) -> None:
    assert breaches(module, MODULES[module]) == []


@pytest.mark.parametrize("module", MODULES)
def test_only_the_face_of_a_package_is_imported(module: str) -> None:
    assert deep_imports(module, MODULES[module]) == []


@pytest.mark.parametrize("module", MODULES)
def test_no_private_name_of_another_is_used(module: str) -> None:
    used = private_names(MODULES[module]) - {name for where, name in ALLOWED if where == module}
    assert not used, f"{module} uses {used}: take what is public, or give it a row in ALLOWED."


def test_every_row_of_private_names_is_used_and_has_its_test() -> None:
    for (module, name), row in ALLOWED.items():
        assert name in private_names(MODULES[module]), f"Delete the row of {name}: nobody uses it."
        file, _, test = row.test.partition("::")
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), row
        assert re.search(rf'"{row.library}[^"]*,<[\d.]+"', PROJECT), f"Bound {row.library} above."


@pytest.mark.parametrize("module", MODULES)
def test_no_file_is_longer_than_a_reader_holds(module: str) -> None:
    lines = len(MODULES[module].splitlines())
    assert lines <= LONGEST_FILE, f"{module} has {lines} lines: cut it where a second noun begins."


def test_the_core_is_read_in_a_day() -> None:
    core = [source for module, source in MODULES.items() if is_core(module)]
    files, lines = len(core), sum(len(source.splitlines()) for source in core)
    assert files <= CEILING[0], f"The core has {files} files: merge what is one noun."
    assert lines <= CEILING[1], f"The core has {lines} lines: delete, or move machinery to lib."
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{CEILING[0]} files and {CEILING[1]:,} lines" in " ".join(readme.split())


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_a_face_a_readme_and_tests(package: str) -> None:
    place = ROOT / PACKAGE / "lib" / package
    lines = len((place / "README.md").read_text(encoding="utf-8").splitlines())
    assert 20 <= lines <= 60, f"lib/{package}/README.md has {lines} lines; a page tells it."
    assert list((ROOT / "tests/lib" / package).glob("test_*.py")), f"Try lib/{package} by itself."


def test_one_module_normalises_text_and_bounds_it_first() -> None:
    found = [module for module, source in MODULES.items() if normalises(source)]
    assert found == [NORMALISING]


@pytest.mark.parametrize(
    "source",
    [
        "import unicodedata\nunicodedata.normalize('NFC', 'x')",
        "import unicodedata as u\nform = u.normalize",
        "from unicodedata import normalize",
        "from unicodedata import normalize as n",
        "def f():\n    from unicodedata import *",
        "import unicodedata\nunicodedata.is_normalized('NFC', 'x')",
    ],
)
def test_made_up_normalising_is_found(source: str) -> None:
    assert normalises(source)
    assert not normalises("import unicodedata\nunicodedata.category('x')")


@pytest.mark.parametrize("module", MODULES)
def test_module_says_in_one_line_what_it_is_for(module: str) -> None:
    assert has_summary_line(MODULES[module])


def test_every_room_has_its_floor_and_every_floor_its_rooms() -> None:
    rooms = {folder(module) for module in MODULES}
    assert rooms == {room for floor in LAYERS for room in floor} | {MACHINERY}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert import_cycle(MODULES) == []


@pytest.mark.parametrize("module", IMPORTED)
def test_module_holds_nothing_that_is_built(module: str) -> None:
    held = vars(importlib.import_module(module))
    assert [name for name, value in held.items() if isinstance(value, BUILT)] == []


@dataclass(frozen=True)
class Loaded:
    """What one process had loaded after each of its starts, which follow one another."""

    modules: Sequence[set[str]]
    stderr: str
    returncode: int
    left: Sequence[Path]
    """What it left in its folder."""


def loaded(folder: Path, starts: Sequence[str], **settings: str) -> Loaded:
    """Run some starts one after the other in a process of this very Python."""
    done = subprocess.run(  # noqa: S603  the starts of this file
        [sys.executable, "-c", STARTING, json.dumps(starts)],
        cwd=folder,
        env=environment(**settings) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    marked = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    modules = [set(line.removeprefix(MARK).split()) for line in marked]
    return Loaded(modules, done.stderr, done.returncode, list(folder.iterdir()))


@pytest.fixture(scope="module")
def loaded_by_commands(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Run the commands, none of which may load what one before it does without."""
    folder = tmp_path_factory.mktemp("commands")
    starts = [start for start, _ in COMMANDS.values()]
    return loaded(folder, starts, database_url=copied_sqlite(sqlite_template, folder))


@pytest.fixture(scope="module")
def loaded_by_servers(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Import the server, all modules and then the program, with a setting that it refuses."""
    starts = [start for start, _ in SERVERS.values()]
    everything = f"import importlib; [importlib.import_module(name) for name in {IMPORTED}]"
    folder = tmp_path_factory.mktemp("servers")
    return loaded(folder, [*starts, everything, "import main"], database_url="nonsense")


def test_only_main_reads_the_settings_at_import(loaded_by_servers: Loaded) -> None:
    assert len(loaded_by_servers.modules) == len(SERVERS) + 1, loaded_by_servers.stderr
    assert set(IMPORTED) <= loaded_by_servers.modules[-1]
    assert "CannotStart: GQL_APP_DATABASE_URL" in loaded_by_servers.stderr
    assert loaded_by_servers.returncode == 1
    assert loaded_by_servers.left == []


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=COMMANDS)
def test_nothing_is_loaded_that_this_command_does_without(
    number: int, loaded_by_commands: Loaded
) -> None:
    assert loaded_by_commands.returncode == 0, loaded_by_commands.stderr
    idle = [*COMMANDS.values()][number][1]
    assert idle & loaded_by_commands.modules[number] == set()


@pytest.mark.parametrize("number", range(len(SERVERS)), ids=SERVERS)
def test_nothing_is_loaded_that_this_server_does_without(
    number: int, loaded_by_servers: Loaded
) -> None:
    idle = [*SERVERS.values()][number][1]
    assert idle & loaded_by_servers.modules[number] == set()


@pytest.mark.parametrize(
    ("module", "line", "breach"),
    [
        ("security.tokens", "from gql_app.db import engine", "db.engine"),
        ("security.tokens", "from gql_app.schema import context", "schema.context"),
        ("settings", "from gql_app.security.tokens import Claims", "security.tokens.Claims"),
        ("errors", "import gql_app.settings", "settings"),
        ("accounts.customers", "from gql_app import app", "app"),
        ("accounts.customers", "def f():\n    import gql_app.web.graphql", "web.graphql"),
        ("lib.engine.documents", "from gql_app.errors import Refusal", "errors.Refusal"),
        ("resources", "from main import app", "main.app"),
        ("schema.customers", "from sqlalchemy import select", "sqlalchemy.select"),
        ("accounts.customers", "import strawberry", "strawberry"),
        ("accounts.customers", "from starlette.requests import URL", "starlette.requests.URL"),
        ("web.health", "import strawberry.types", "strawberry.types"),
        ("web.graphql", "import orjson", "orjson"),
        ("web.graphql", "import jwt", "jwt"),
        ("settings", "import structlog", "structlog"),
        ("db.engine", "import alembic", "alembic"),
        ("accounts.customers", "import aiosmtplib", "aiosmtplib"),
        ("accounts.customers", "import requests", "requests"),
        ("accounts.customers", "from . import paging", "..paging"),
        ("schema.root", "from gql_app.extending import feature", "extending.feature"),
        ("cli", "from gql_app import __version__, app", None),
        ("cli", "from gql_app.lib.telemetry import get_logger", None),
        ("lib.engine.documents", "from gql_app.lib.text import normalise", None),
        ("accounts.customers", "from gql_app.accounts.audit import Action", None),
        ("db.engine", "from gql_app.db.tables import Row", None),
        ("db.migrations.env", "from alembic import context", None),
        ("lib.graphql_http.messages", "import orjson", None),
    ],
)
def test_made_up_breach_is_found_and_nothing_else(
    module: str, line: str, breach: str | None
) -> None:
    sentences = breaches(module, f'"""A module."""\nimport os\n{line}\n')
    assert len(sentences) == (breach is not None)
    assert all(f" {breach}" in sentence for sentence in sentences)


def test_file_in_a_folder_without_a_floor_is_told_so() -> None:
    (sentence,) = breaches("cellar.wine", '"""Wine."""\nfrom gql_app.errors import Refusal\n')
    assert sentence == "cellar.wine is in no layer: add cellar to LAYERS."


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from uvicorn._types import ASGI3Application", "uvicorn._types.ASGI3Application"),
        ("from uvicorn.protocols.http import h11_impl", "uvicorn.protocols.http.h11_impl"),
        ("from gql_app.accounts.audit import _log", "accounts.audit._log"),
        ("def f(info):\n    return info._raw_info", "_raw_info"),
        ("def f(x):\n    return getattr(x, '_is_default')", "_is_default"),
        ("class A(B):\n    def f(self):\n        return self._schema", "_schema"),
        ("def f(kind):\n    return kind(_field=1)", "_field"),
    ],
)
def test_made_up_private_name_is_found(source: str, name: str) -> None:
    assert private_names(f"import os\n{source}\n") == {name}


@pytest.mark.parametrize(
    "source",
    [
        "from __future__ import annotations",
        "class A:\n    def __init__(self, b):\n        self._x = b._x",
        "def _f():\n    return 1\nprint(_f())",
        "def f(row):\n    return row._asdict()",
    ],
)
def test_names_of_ones_own_are_not_private(source: str) -> None:
    assert private_names(source) == set()


def test_made_up_import_past_a_face_is_found() -> None:
    source = "from gql_app.lib.keyring.keys import KeyRing"
    (sentence,) = deep_imports("accounts.sessions", source)
    assert sentence.startswith("accounts.sessions may not import lib.keyring.keys.KeyRing: take it")
    assert deep_imports("lib.keyring.rotation", source) == []
    assert deep_imports("accounts.sessions", "from gql_app.lib.keyring import KeyRing") == []


def test_made_up_circle_is_found() -> None:
    modules = {
        "db.one": "from gql_app.db.two import x",
        "db.two": "from gql_app.db import three",
        "db.three": "import gql_app.db.one",
    }
    assert set(import_cycle(modules)) == set(modules)
    assert import_cycle({**modules, "db.three": "import os"}) == []


@pytest.mark.parametrize(
    "source", ["", "import os", '"""No end"""', '"""One line,\nand another."""']
)
def test_made_up_silence_is_found(source: str) -> None:
    assert not has_summary_line(source)
