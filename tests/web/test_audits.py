"""GraphQL over HTTP as graphql-http's audits see it, on a real server."""

import json
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, Server, run

AUDITS = ROOT / "tests" / "clients"
NODE = Path(sys.executable).with_name("node")
"""The one that comes with the Python packages, whatever the machine has."""


@pytest.mark.xdist_group("demo")
def test_every_audit_is_passed(demo: Server, tmp_path: Path) -> None:
    assert (AUDITS / "node_modules").is_dir(), "make test installs graphql-http"
    done = run([str(NODE), str(AUDITS / "audit.mjs"), f"{demo.url}/graphql"], tmp_path)
    assert done.returncode == 0, done.stderr
    audits = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({audit["id"] for audit in audits}) == 61
    assert [audit for audit in audits if audit["status"] != "ok"] == []
