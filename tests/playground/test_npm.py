"""How node and npm are found, with which the playground is built."""

import os
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.processes import ROOT

SCRIPT: Final = runpy.run_path(str(ROOT / "playground/npm.py"))
suits: Final[Callable[[str], bool]] = SCRIPT["suits"]
tools: Final[Callable[[str], Mapping[str, str] | None]] = SCRIPT["tools"]


def install(folder: Path, **programs: str) -> str:
    """Put programs that print something into a folder, and tell its path."""
    for name, printed in programs.items():
        file = folder / name
        file.write_text(f"#!/bin/sh\necho {printed}\n")
        file.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("v20.19.0", True),
        ("v20.20.2\n", True),
        ("v22.12.0", True),
        ("v24.0.0", True),
        ("v20.18.3", False),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("v18.20.0", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_nodes_that_vite_runs_on_suit(version: str, *, good: bool) -> None:
    assert suits(version) == good


@pytest.mark.parametrize(
    "programs", [{}, {"node": "v24.0.0"}, {"npm": "11"}, {"node": "v18.0.0", "npm": "11"}]
)
def test_system_without_both_or_with_an_old_node_is_passed_over(
    tmp_path: Path, programs: dict[str, str]
) -> None:
    assert tools(install(tmp_path, **programs)) is None


def test_system_that_has_both_is_used(tmp_path: Path) -> None:
    path = install(tmp_path, node="v24.0.0", npm="11")
    assert tools(path) == {**os.environ, "PATH": path}
