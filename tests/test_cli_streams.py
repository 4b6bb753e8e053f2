"""Output that can't be written, and streams that are closed: a sentence, and status 1."""

import subprocess
from pathlib import Path

import pytest

from tests.commands import output_here
from tests.conftest import SECRET
from tests.databases import copied_sqlite
from tests.processes import MAIN, environment, pipe, run_main_on

CLOSED = "Standard input or output is closed.\n"
FULL = "Standard output: No space left on device\n"


def run_with(
    streams: str, *arguments: str, folder: Path, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with its streams redirected by a shell."""
    return subprocess.run(  # noqa: S603 — our own program
        ["/bin/sh", "-c", f'exec "$@" {streams}', "sh", *MAIN, *arguments],
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        encoding="utf-8",
        start_new_session=True,  # without a terminal
        check=False,
    )


def test_backup_that_gets_no_room_leaves_nothing(sqlite_template: Path, tmp_path: Path) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    before = sorted(tmp_path.iterdir())
    limited = ["/bin/sh", "-c", 'ulimit -f 100 && exec "$@"', "sh", *MAIN, "backup", "copy.db"]
    done = subprocess.run(  # noqa: S603 — our own program
        limited,
        cwd=tmp_path,
        env=environment(database_url=url),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{tmp_path}/test.db can't be copied: ")
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def given(sqlite_template: Path, tmp_path: Path) -> dict[str, str]:
    """Return the settings of a database with an event to export."""
    settings = {"database_url": copied_sqlite(sqlite_template, tmp_path), "secret_key": SECRET}
    assert output_here("end-sessions", folder=tmp_path, **settings)
    return settings


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_told_in_a_sentence(
    given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    if unbuffered:
        monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    else:
        monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    for command in ("version", "export-schema", "export-audit", "check --json", "export -"):
        form = ["--format", "csv"] if command == "export -" else []
        with Path("/dev/full").open("wb") as full:
            arguments = (*command.split(), *form)
            done = run_main_on({1: full}, *arguments, folder=tmp_path, **given)
        assert (done.returncode, done.stderr) == (1, FULL), command


@pytest.mark.parametrize(
    ("closed", "command"),
    [
        (1, ["export-schema"]),
        (1, ["export-audit"]),
        (1, ["check", "--json"]),
        (1, ["export", "-", "--format", "csv"]),
        (0, ["import", "-", "--format", "csv"]),
    ],
)
def test_closed_stream_is_told_in_a_sentence(
    given: dict[str, str], tmp_path: Path, closed: int, command: list[str]
) -> None:
    done = run_main_on({closed: None}, *command, folder=tmp_path, **given)
    assert done.returncode == 1
    assert done.stderr.endswith(CLOSED)


def test_closed_input_that_a_password_is_typed_into_is_told_in_a_sentence(
    given: dict[str, str], tmp_path: Path
) -> None:
    creating = ("create-admin", "--email", "ada@example.com", "--name", "Ada Admin")
    done = run_with("<&-", *creating, folder=tmp_path, **given)
    assert done.returncode == 1
    assert done.stderr.endswith(CLOSED)
    assert "Traceback" not in done.stderr


def test_command_that_needs_no_stream_runs_without(given: dict[str, str], tmp_path: Path) -> None:
    done = run_with("<&- >&-", "migrate", folder=tmp_path, **given)
    assert (done.returncode, done.stderr) == (0, "")


def test_reader_that_leaves_is_no_fault(given: dict[str, str], tmp_path: Path) -> None:
    reader, writer = pipe()
    reader.close()
    with writer:
        done = run_main_on({1: writer}, "export-audit", folder=tmp_path, **given)
    assert (done.returncode, done.stderr) == (1, "")
