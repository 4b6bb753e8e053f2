"""Fixtures with the outcomes of all scenarios of all clients, each run once."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pytest
from pydantic import TypeAdapter

from gql_app.cli.samples import SIGN_INS
from tests.clients import gql_client
from tests.clients.outcomes import Given, Outcome
from tests.processes import PATIENCE, ROOT, Server, environment, serving, signed_in

HERE: Final = Path(__file__).parent
NODE: Final = (str(Path(sys.executable).with_name("node")), str(HERE / "run.mjs"))
"""The Node.js of the Python packages, not the machine's."""
PYTHON: Final = ROOT / "build/clients/bin/python"
"""The Python of the environment for clients that need an older graphql-core."""
JAVASCRIPT: Final = (
    "apollo",
    "graphql-http",
    "graphql-request",
    "graphql-sse",
    "graphql-ws",
    "urql",
)
OUTCOME: Final = TypeAdapter(Outcome)
LISTED: Final = ("trusted-1", "query Trusted { token { __typename valid } }")
"""The id and the text of the only document that the server with trusted documents runs."""


def run(program: tuple[str, ...], given: Mapping[str, object], folder: Path) -> list[Outcome]:
    """Run the scenarios of a program, and return their outcomes."""
    done = subprocess.run(  # noqa: S603 — the tests' own commands
        program,
        cwd=folder,
        env=environment(),
        input=json.dumps(given),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [OUTCOME.validate_json(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="session")
def outcomes(
    demo: Server, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Outcome]:
    """Run every scenario of every client on the demo, and return the outcomes."""
    assert (HERE / "node_modules").is_dir(), "make test installs the clients in JavaScript"
    assert PYTHON.exists(), "make test installs the clients in Python"
    email, password = SIGN_INS[1].email, SIGN_INS[1].password
    with demo.client() as client:
        token = signed_in(client, email, password)
    given = Given(f"{demo.url}/graphql", token, email, password)
    folder = tmp_path_factory.mktemp("clients")
    came = [
        *gql_client.outcomes(given),
        *run((*NODE, *JAVASCRIPT), asdict(given), folder),
        *run((str(PYTHON), str(HERE / "generated.py")), asdict(given), folder),
    ]
    return {(each.client, each.scenario): each for each in came}


@pytest.fixture(scope="session")
def trusted_outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Run clients on a server that only runs trusted documents."""
    folder = tmp_path_factory.mktemp("trusted")
    (folder / "documents.json").write_text(json.dumps(dict([LISTED])), encoding="utf-8")
    with serving("--demo", folder=folder, trusted_documents="documents.json") as server:
        given = {"url": f"{server.url}/graphql", "id": LISTED[0], "text": LISTED[1]}
        return {each.scenario: each for each in run((*NODE, "trusted"), given, folder)}
