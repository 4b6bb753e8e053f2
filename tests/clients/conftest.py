"""What came of all scenarios of all clients, each run once on one server."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pytest
from pydantic import TypeAdapter

from gql_app.cli.samples import SIGN_INS
from tests.clients import gql_client
from tests.clients.outcomes import Given, Outcome
from tests.processes import PATIENCE, ROOT, Server, environment, signed_in

HERE: Final = Path(__file__).parent
NODE: Final = Path(sys.executable).with_name("node")
"""The one that comes with the Python packages, whatever the machine has."""
PYTHON: Final = ROOT / "build/clients/bin/python"
"""Of the environment of clients that want an older graphql-core."""
JAVASCRIPT: Final = (
    "apollo",
    "graphql-http",
    "graphql-request",
    "graphql-sse",
    "graphql-ws",
    "urql",
)
PROGRAMS: Final = (
    (str(NODE), str(HERE / "run.mjs"), *JAVASCRIPT),
    (str(PYTHON), str(HERE / "generated.py")),
)
OUTCOME: Final = TypeAdapter(Outcome)


@pytest.fixture(scope="session")
def outcomes(
    demo: Server, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Outcome]:
    """Run every scenario of every client on the demo, and return what came of it."""
    assert (HERE / "node_modules").is_dir(), "make test installs the clients in JavaScript"
    assert PYTHON.exists(), "make test installs the clients in Python"
    email, password = SIGN_INS[1].email, SIGN_INS[1].password
    with demo.client() as client:
        token = signed_in(client, email, password)
    given = Given(f"{demo.url}/graphql", token, email, password)
    folder = tmp_path_factory.mktemp("clients")
    came = gql_client.outcomes(given)
    for program in PROGRAMS:
        done = subprocess.run(  # noqa: S603 — the tests' own commands
            program,
            cwd=folder,
            env=environment(),
            input=json.dumps(asdict(given)),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        came += map(OUTCOME.validate_json, done.stdout.splitlines())
    return {(each.client, each.scenario): each for each in came}
