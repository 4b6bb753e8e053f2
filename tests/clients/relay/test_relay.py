"""Relay as its users have it: its compiler takes the schema, and its runtime keeps its store."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from gql_app.cli.samples import SIGN_INS
from tests.processes import ROOT, Server, run

HERE: Final = Path(__file__).parent
MODULES: Final = HERE.parent / "node_modules"
NODE: Final = str(Path(sys.executable).with_name("node"))
"""The one that comes with the Python packages, whatever the machine has."""


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the operations, fragments and directives of an application."""
    assert MODULES.is_dir(), "make test installs Relay"
    folder = tmp_path_factory.mktemp("relay")
    shutil.copytree(HERE / "src", folder / "src")
    shutil.copy(HERE / "relay.config.json", folder)
    shutil.copy(ROOT / "schema.graphql", folder)
    made = folder / "artifacts"
    made.mkdir()
    (made / "package.json").write_text('{"type": "commonjs"}', encoding="utf-8")
    compiler = MODULES / "relay-compiler/cli.js"
    done = run([NODE, str(compiler), "relay.config.json"], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture(scope="module")
def report(demo: Server, artifacts: Path) -> dict[str, Any]:
    """Run them on the demo, as an admin."""
    admin = SIGN_INS[0]
    program = [NODE, str(HERE / "run.mjs"), f"{demo.url}/graphql", str(artifacts)]
    done = run([*program, admin.email, admin.password], artifacts)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


pytestmark = pytest.mark.xdist_group("demo")


@pytest.mark.parametrize("connection", ["customers", "events"])
def test_next_page_is_merged_into_the_connection(report: dict[str, Any], connection: str) -> None:
    page = report[connection]
    assert len({*page["merged"]}) == 4
    assert page["merged"][:2] == page["first"]


def test_page_before_is_merged_into_the_connection(report: dict[str, Any]) -> None:
    page = report["lastEvents"]
    assert len({*page["merged"]}) == 4
    assert page["merged"][2:] == page["first"]


def test_fragment_on_a_customer_is_refetched_by_the_id(report: dict[str, Any]) -> None:
    assert report["refetched"] == {**report["refetched"], "name": "Rita Relay", "phone": None}


def test_deleted_customer_leaves_the_store(report: dict[str, Any]) -> None:
    deleted = {"status": "SUCCESS", "deletedId": report["refetched"]["id"]}
    assert (report["known"], report["deleted"], report["gone"]) == (True, deleted, None)


def test_refused_field_is_null_without_a_word_unless_the_query_says_otherwise(
    report: dict[str, Any],
) -> None:
    assert (report["refused"], report["refusedFields"]) == ({"me": None}, 1)
    assert report["thrown"].startswith("Relay: Unexpected response payload")
