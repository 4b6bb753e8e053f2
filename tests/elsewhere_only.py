"""Tests of what differs where Linux's features are absent: tests/test_elsewhere.py runs them."""

from pathlib import Path

from tests.commands import run_here
from tests.databases import copied_sqlite


def test_several_processes_are_refused_in_a_sentence(sqlite_template: Path, tmp_path: Path) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    done = run_here("serve", "--workers", "2", folder=tmp_path, database_url=url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "--workers: this system has no locks by which several processes count. Serve by one\n"
    )
