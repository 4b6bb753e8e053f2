"""The README's table of threats: each test that it names is there."""

import ast
import re

from tests.processes import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", README)


def written_in(file: str) -> set[str]:
    """Name the tests that a file holds."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_test_that_is_named_is_there() -> None:
    missing = [f"{file}::{name}" for file, name in NAMED if name not in written_in(file)]
    assert missing == []


def test_every_threat_has_its_test() -> None:
    chapter = README.partition("\n## Security\n")[2].partition("\n## ")[0]
    rows = [line for line in chapter.splitlines() if line.startswith("| ") and "Threat" not in line]
    assert len(rows) > 50
    assert not [row for row in rows if not re.search(r"\.py::test_\w+` \|$", row)]
