"""Relay as its users have it: its compiler takes the schema, and its runtime keeps its store."""

import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from gql_app.cli.samples import SIGN_INS
from gql_app.extending.merging import parts_of
from gql_app.schema.root import build_schema
from tests.extending.shop import SHOP
from tests.processes import ROOT, Server, run

HERE: Final = Path(__file__).parent
MODULES: Final = HERE.parent / "node_modules"
NODE: Final = str(Path(sys.executable).with_name("node"))
"""The one that comes with the Python packages, whatever the machine has."""
SHOWN: Final = re.compile(
    r"^```js\n(graphql`\n  (?:mutation|query) (\w+?)(?:Mutation|Query)\b.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
"""What docs/clients.md shows of Relay, and the module that Relay wants it named after."""
ORDERS: Final = """
graphql`
  fragment orders_order on Order @refetchable(queryName: "ordersOrderRefetchQuery") {
    totalCents
  }
`;

graphql`
  fragment orders_list on Query
  @argumentDefinitions(count: { type: "Int" }, cursor: { type: "String" })
  @refetchable(queryName: "ordersPageQuery") {
    orders(first: $count, after: $cursor) @connection(key: "orders__orders") {
      edges {
        node {
          ...orders_order
        }
      }
    }
  }
`;
"""

pytestmark = pytest.mark.xdist_group("demo")


def compiled(folder: Path, schema: str, sources: Mapping[str, str]) -> Path:
    """Compile an application's sources by a schema, and return where what is made of them is."""
    assert MODULES.is_dir(), "make test installs Relay"
    made, written = folder / "artifacts", folder / "src"
    made.mkdir()
    written.mkdir()
    for name, text in sources.items():
        (written / name).write_text(text, encoding="utf-8")
    shutil.copy(HERE / "relay.config.json", folder)
    (folder / "schema.graphql").write_text(schema, encoding="utf-8")
    (made / "package.json").write_text('{"type": "commonjs"}', encoding="utf-8")
    compiler = MODULES / "relay-compiler/cli.js"
    done = run([NODE, str(compiler), "relay.config.json"], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the operations of an application, and what the guide shows of another."""
    guide = (ROOT / "docs/clients.md").read_text(encoding="utf-8")
    shown = {f"{found[2]}.js": found[1] for found in SHOWN.finditer(guide)}
    assert len(shown) == 2
    operations = (HERE / "src/operations.js").read_text(encoding="utf-8")
    schema = (ROOT / "schema.graphql").read_text(encoding="utf-8")
    return compiled(
        tmp_path_factory.mktemp("relay"), schema, {"operations.js": operations, **shown}
    )


@pytest.fixture(scope="module")
def report(demo: Server, artifacts: Path) -> dict[str, Any]:
    """Run them on the demo, as an admin."""
    admin = SIGN_INS[0]
    program = [NODE, str(HERE / "run.mjs"), f"{demo.url}/graphql", str(artifacts)]
    done = run([*program, admin.email, admin.password], artifacts)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


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
    customer = {"id": report["created"], "name": "Rita Relay", "phone": None}
    assert report["refetched"] == {**report["refetched"], **customer}


def test_fragments_on_sessions_and_events_are_refetched_by_the_id(report: dict[str, Any]) -> None:
    session, event = report["session"], report["event"]
    assert (session["id"], session["isCurrent"]) == (session["asked"], False)
    assert (event["id"], event["action"]) == (event["asked"], "session:login")


def test_feature_types_are_refetched_and_paged_through_as_well(tmp_path: Path) -> None:
    schema = build_schema(parts_of([SHOP], []).additions).as_str()
    made = compiled(tmp_path, schema, {"orders.js": ORDERS})
    assert (made / "ordersOrderRefetchQuery.graphql.js").exists()
    assert (made / "ordersPageQuery.graphql.js").exists()


def test_deleted_customer_leaves_the_store(report: dict[str, Any]) -> None:
    assert report["deleted"] == {"status": "SUCCESS", "deletedId": report["created"]}
    assert report["known"] == [True, False]


def test_session_that_was_ended_leaves_the_store_by_an_updater(report: dict[str, Any]) -> None:
    assert report["ended"] == [True, False, None]


def test_refused_field_is_null_without_a_word_unless_the_query_says_otherwise(
    report: dict[str, Any],
) -> None:
    assert (report["refused"], report["refusedFields"]) == ({"me": None}, 1)
    assert report["thrown"].startswith("Relay: Unexpected response payload")
