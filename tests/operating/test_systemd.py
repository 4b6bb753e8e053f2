"""deploy/gql_app@.service by systemd's own tools."""

import shutil
from pathlib import Path

from tests.operating.programs import DEPLOY, told

EXPOSURE = 20
"""Tenths: the most that systemd may think of what the unit leaves open, of 10."""


def unit(folder: Path) -> Path:
    """Write the unit of one instance, whose program is one that this machine has."""
    text = (DEPLOY / "gql_app@.service").read_text(encoding="utf-8")
    program = "/usr/local/bin/gql-app"
    assert program in text
    file = folder / "gql_app@8000.service"
    file.write_text(text.replace(program, str(shutil.which("true"))))
    return file


def test_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    assert told("systemd-analyze", "verify", unit(tmp_path)) == ""


def test_unit_leaves_little_open(tmp_path: Path) -> None:
    told(
        *("systemd-analyze", "security", "--no-pager", "--offline=true"),
        *(f"--threshold={EXPOSURE}", unit(tmp_path)),
    )
