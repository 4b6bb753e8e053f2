"""Documents that Relay's compiler writes down run by their ids, and nothing else does."""

import json
import shutil
from pathlib import Path

import pytest

from gql_app.cli.check import findings
from gql_app.settings import Settings
from tests.api import running
from tests.clients.relay.test_relay import HERE, MODULES, NODE
from tests.processes import ROOT, run

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Compile an application that sends ids, and return the file with its documents."""
    assert MODULES.is_dir(), "make test installs Relay"
    shutil.copytree(HERE / "src", tmp_path / "src")
    shutil.copy(ROOT / "schema.graphql", tmp_path)
    (tmp_path / "artifacts").mkdir()
    config = json.loads((HERE / "relay.config.json").read_text(encoding="utf-8"))
    config["persistConfig"] = {"file": "documents.json"}
    (tmp_path / "relay.config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "documents.json").write_text("{}", encoding="utf-8")
    done = run([NODE, str(MODULES / "relay-compiler/cli.js"), "relay.config.json"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path / "documents.json"


@pytest.fixture
def documents(listed: Path) -> dict[str, str]:
    """Read the documents by their ids."""
    texts: dict[str, str] = json.loads(listed.read_text(encoding="utf-8"))
    assert len(texts) > 5
    return texts


async def test_every_document_of_the_application_runs_by_its_id(
    listed: Path, documents: dict[str, str], settings: Settings
) -> None:
    trusting = settings.model_copy(update={"trusted_documents": listed})
    found = {finding.code for finding in await findings(trusting, "127.0.0.1", 1)}
    assert "invalid-documents" not in found
    async with running(trusting) as api:
        for document_id, text in documents.items():
            asked = {"documentId": document_id}
            posted = await api.client.post("/graphql", json=asked)
            error, *_ = posted.json()["errors"]
            assert error["extensions"]["code"] in {"UNAUTHENTICATED", "BAD_USER_INPUT"}
            got = await api.client.get("/graphql", params=asked)
            assert (got.json() == posted.json()) == text.startswith("query")
            assert got.status_code == (200 if text.startswith("query") else 405)
        assert (await api.run("{ __typename }")).code() == "PERSISTED_QUERY_NOT_IN_LIST"
