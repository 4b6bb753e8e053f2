"""What is shipped: the same bytes whoever builds it, and a program that works where it is put."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from zipfile import ZipFile

import pytest

from gql_app import __version__
from tests.databases import Postgres
from tests.laws import HOMES
from tests.processes import (
    PATIENCE,
    ROOT,
    environment,
    free_port,
    run,
    running_server,
    sign_ins,
    signed_in,
)

pytestmark = pytest.mark.xdist_group("shipping")  # what is built is built once

NAME = f"gql_app-{__version__}"
FOLDERS = (".ci", "bench", "deploy", "docs", "examples", "gql_app", "playground", "tests")
FILES = (
    *(".dockerignore", ".gitignore", "Containerfile", "Makefile", "compose.yaml"),
    *("CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md"),
    *("main.py", "pyproject.toml", "schema.graphql"),
    *(
        f"requirements{which}.txt"
        for which in (
            "",
            "-bench",
            "-build",
            "-clients",
            "-conformance",
            "-dev",
            "-node",
            "-oldest-pip",
            "-operating",
        )
    ),
)
MACHINE_MADE = ("__pycache__", "dist", "generated.ts", "node_modules")
STRAY = (
    *(".env", "customers.csv", "gql_app.db", "gql_app.db.key", "secrets/secret_key"),
    *(".venv/bin/python", ".hypothesis/x", ".pytest_cache/x", ".mypy_cache/x", "build/x", "dist/x"),
    *("playground/node_modules/x.js", "tests/clients/node_modules/x.js", "bench/x.db"),
    "tests/browser/node_modules/.chromium/chromium",
    *("examples/typescript/node_modules/x.js", "gql_app/__pycache__/x.pyc"),
)


@dataclass(frozen=True, slots=True)
class Built:
    """What a build makes."""

    sdist: Path
    wheel: Path

    def files(self) -> set[str]:
        """Name what the sdist holds."""
        with tarfile.open(self.sdist) as archive:
            return {each.name.removeprefix(f"{NAME}/") for each in archive if each.isfile()}


def as_it_lies(folder: Path, *, moment: int, umask: int) -> Path:
    """Return a tree of what is ours as it may lie on another machine, and what lies about in it."""
    for name in STRAY:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("hush")
    for file in folder.rglob("*"):
        file.chmod(file.stat().st_mode & ~umask)
        os.utime(file, (moment, moment))
    return folder


def files_of(folder: Path) -> Iterator[Path]:
    """Name the files in a folder but for what a machine made, which is many times as much."""
    for place, folders, files in os.walk(folder):
        folders[:] = set(folders) - set(MACHINE_MADE)
        for name in set(files) - set(MACHINE_MADE):
            yield (Path(place) / name).relative_to(ROOT)


def build(tree: Path, umask: int, **environment: str) -> Built:
    """Build both, as `python -m build` has hatchling do it."""
    inherited = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", "out"],
        cwd=tree,
        env=inherited | environment,
        umask=umask,
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    return Built(tree / f"out/{NAME}.tar.gz", tree / f"out/{NAME}-py3-none-any.whl")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build once."""
    assert (ROOT / "gql_app/web/static/index.html").exists(), "make test builds the page"
    folder = tmp_path_factory.mktemp("one")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*MACHINE_MADE))
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    tree = as_it_lies(folder, moment=1_000_000_000, umask=0o022)
    return build(tree, 0o022, TZ="Pacific/Auckland", LC_ALL="C", PYTHONHASHSEED="1")


@pytest.fixture(scope="module")
def program(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment of its own, beside what it needs."""
    folder = tmp_path_factory.mktemp("installed")
    python = str(folder / "bin/python")
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-cache"]
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(folder)],
        [*uv, "--no-deps", "--python", python, str(built.wheel)],
    ):
        subprocess.run(command, check=True, timeout=PATIENCE)  # noqa: S603 — ours
    (installed,) = folder.glob("lib/python*/site-packages")
    (installed / "needed.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin/gql-app"


@pytest.fixture(scope="module")
def builder(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install examples/shop beside it, as who builds on it does; return the Python of both."""
    folder = shutil.copytree(ROOT / "examples/shop", tmp_path_factory.mktemp("shop") / "source")
    python = program.with_name("python")
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-cache"]
    for command in (
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "out"],
        [*uv, "--no-deps", "--python", str(python), "out/gql_app_shop-0.1.0-py3-none-any.whl"],
    ):
        subprocess.run(command, cwd=folder, check=True, timeout=PATIENCE)  # noqa: S603 — ours
    return python


def test_sdist_builds_the_same_anywhere_to_the_byte(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    tree = as_it_lies(tmp_path / NAME, moment=1_700_000_001, umask=0o077)
    again = build(tree, 0o077, TZ="America/Caracas", LC_ALL="C.UTF-8", PYTHONHASHSEED="2")
    assert again.wheel.read_bytes() == built.wheel.read_bytes()
    assert again.sdist.read_bytes() == built.sdist.read_bytes()


def test_sdist_holds_what_builds_and_tests_and_nothing_that_lies_about(built: Built) -> None:
    ours = {str(file) for name in FOLDERS for file in files_of(ROOT / name)}
    assert built.files() == ours | set(FILES) | {"PKG-INFO"}


def test_wheel_holds_the_program_its_page_and_nothing_else(built: Built) -> None:
    with ZipFile(built.wheel) as archive:
        names = {name for name in archive.namelist() if not name.startswith(f"{NAME}.dist-info/")}
        metadata = archive.read(f"{NAME}.dist-info/METADATA")
    assert names == {name for name in built.files() if name.startswith("gql_app/")}
    pages = {"gql_app/web/static/index.html", "gql_app/web/account/account.js"}
    assert {"gql_app/py.typed", *pages} <= names
    assert [name for name in names if re.search("static/playground/index-.*[.]js[.]br$", name)]
    assert [name for name in names if name.startswith("gql_app/db/migrations/versions/0001")]
    assert message_from_bytes(metadata)["Version"] == __version__


def test_all_that_is_imported_is_required_and_locked(built: Built) -> None:
    with ZipFile(built.wheel) as archive:
        metadata = message_from_bytes(archive.read(f"{NAME}.dist-info/METADATA"))
    required = plain(metadata.get_all("Requires-Dist", []))
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert required <= plain(lock.splitlines())
    brought = required | {each for name in required for each in plain(requires(name) or [])}
    origins = packages_distributions()
    extra = [each for each in metadata.get_all("Requires-Dist", []) if "otel" in each]
    traces = plain(each.partition(";")[0] for each in extra)
    imported = plain(origins[library][0] for library in HOMES if library in origins)
    assert "opentelemetry-sdk" in traces
    assert imported <= brought | traces


def plain(requirements: Iterable[str]) -> set[str]:
    """Return what is required without any extra, in the form that compares."""
    names = {each for each in requirements if "extra ==" not in each}
    found = {re.split(r"[^\w.-]", each)[0] for each in names}
    return {re.sub(r"[-_.]+", "-", each).lower() for each in found if each}


def test_installed_program_is_a_command_of_its_own(program: Path, tmp_path: Path) -> None:
    assert run([str(program), "version"], tmp_path).stdout == f"{__version__}\n"
    assert run([str(program), "serve"], tmp_path, log_level="LOUD").returncode == 2
    where = [str(program.parent / "python"), "-c", "import gql_app; print(gql_app.__file__)"]
    assert Path(run(where, tmp_path).stdout.strip()).is_relative_to(program.parents[1])


def test_installed_program_serves_the_demo_and_its_page(program: Path, tmp_path: Path) -> None:
    port = free_port()
    command = [str(program), "serve", "--demo", "--port", str(port)]
    with running_server(command, port, tmp_path) as server, server.client() as client:
        _, email, password = sign_ins(server)[0]
        assert signed_in(client, email, password).count(".") == 2
        page = client.get("/graphql", headers={"Accept": "text/html"}).text
        (script,) = re.findall(r'src="\./([^"]+\.js)"', page)
        assert "graphiql" in client.get(f"/{script}").raise_for_status().text


def test_shop_that_is_built_on_the_wheel_passes_its_own_tests_on_both_databases(
    builder: Path, postgres: Postgres, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "examples/shop/tests", tmp_path / "tests")
    with postgres.copied("template1") as url:
        done = subprocess.run(  # noqa: S603 — ours
            [builder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "tests"],
            cwd=tmp_path,
            env=environment() | {"SHOP_POSTGRESQL": url, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=4 * PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    tests = (tmp_path / "tests/test_shop.py").read_text(encoding="utf-8").count("\ndef test_")
    assert f"{2 * tests} passed" in done.stdout
