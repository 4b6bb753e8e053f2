"""Commands that a signal ends: their parent sees it, and they leave no unfinished file."""

import asyncio
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import IO

import pytest
from sqlalchemy import text

from gql_app.lib.database import Database
from tests.commands import output_here
from tests.conftest import SECRET
from tests.databases import Postgres, copied_sqlite
from tests.laws import MODULES
from tests.locks import until_it_waits
from tests.processes import (
    MAIN,
    PATIENCE,
    Command,
    environment,
    run,
    run_main,
    running_main,
)

ENDS = [signal.SIGTERM, signal.SIGHUP]
LINES = b'{"name": "Ada", "email": "not an address"}\n' * 2_500
"""More than a pipe holds: when all are written, the command has begun to read."""
STUBBORN = """
import sys
from gql_app import Feature, create_app

def work() -> None:
    told = "works"
    while told:
        try:
            print(told, flush=True)
            told = sys.stdin.readline().strip()
        except BaseException as why:
            told = "caught " + type(why).__name__

app = create_app(features=[Feature("work", commands=[work])])
"""
"""An application with a command that catches everything."""
SIGNALLED = """
import asyncio
import os
from pathlib import Path
import asyncpg.protocol
from sqlalchemy import text
from gql_app import Feature, create_app, run

CALL, NUMBER = {call}, {number}
calls, receives = 0, False
call_soon = asyncio.BaseEventLoop.call_soon

class Receiving(asyncpg.protocol.Protocol):
    def data_received(self, data):
        global receives
        receives = any(Path().glob(".customers.csv.*"))
        try:
            super().data_received(data)
        finally:
            receives = False

def signalled(loop, *args, **kwargs):
    global calls
    calls += receives
    if receives and calls == CALL:
        os.kill(os.getpid(), NUMBER)
    return call_soon(loop, *args, **kwargs)

asyncpg.protocol.Protocol = Receiving
asyncio.BaseEventLoop.call_soon = signalled

async def ask(tx):
    unfinished = Path(".customers.csv.asked")
    unfinished.touch()
    try:
        for _ in range(2 * CALL):
            await tx.fetch_all(text("SELECT 1"))
    finally:
        unfinished.unlink()

def asks():
    run(ask)

app = create_app(features=[Feature("asking", commands=[asks])])
"""
"""An application to which a signal comes as an answer of PostgreSQL wakes its reader.

So it does once the file of an export is begun.
"""
RULE = """
import asyncio, signal, gql_app

async def awaits(tx):
    def come():
        signal.raise_signal(signal.SIGTERM)
        print("callback goes on")

    asyncio.get_running_loop().call_soon(come)
    try:
        await asyncio.Event().wait()
    finally:
        await rolled_back()

async def rolled_back():
    await asyncio.sleep(0)
    print("is clean")

def wait():
    gql_app.run(awaits)

app = gql_app.create_app(features=[gql_app.Feature("work", commands=[wait])])
"""
"""An application with a command whose rule waits for the event loop."""
INTERRUPTED = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored
signal.raise_signal(signal.SIGINT)
"""
"""A module whose import is interrupted by Ctrl-C."""
CALLS = (1, 3, 6, 12)
"""Answers to an export, with which the signal comes."""
IMPORT = ("import", "-", "--format", "jsonl", "--report", "refused.jsonl")
MANY = 1_500
"""Customers: an answer is no single packet, and a pipe does not hold them."""


@pytest.fixture(scope="module")
def seeded_postgres(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a database of many customers."""
    with postgres.copied() as url:
        seed(tmp_path_factory.mktemp("seeded"), url)
        yield url


def seed(folder: Path, url: str) -> None:
    """Add many customers."""
    given = {"database_url": url, "secret_key": SECRET}
    output_here("seed", "--count", str(MANY), folder=folder, **given)


@contextmanager
def importing(template: Path, folder: Path, stderr: IO[bytes] | None = None) -> Iterator[Command]:
    """Run an import, whose report has begun, and which reads on and waits."""
    url = copied_sqlite(template, folder)
    with running_main(
        *IMPORT, folder=folder, stderr=stderr, database_url=url, secret_key=SECRET
    ) as command:
        command.stdin.write(LINES)
        until_it_reports(folder, command)
        yield command


def until_it_reports(folder: Path, command: Command) -> None:
    """Wait until the report of a command has begun, and assert that the command goes on."""
    deadline = time.monotonic() + PATIENCE
    while not hidden(folder):
        assert command.process.poll() is None, command.end()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def hidden(folder: Path) -> list[str]:
    """Return the names of unfinished files."""
    return [each.name for each in folder.iterdir() if each.name.startswith(".")]


@pytest.mark.parametrize("number", ENDS)
def test_import_that_is_ended_leaves_no_report(
    sqlite_template: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with importing(sqlite_template, tmp_path) as command:
        assert hidden(tmp_path)
        command.process.send_signal(number)
        assert command.end() == (-number, "", "")
    assert hidden(tmp_path) == []
    assert not (tmp_path / "refused.jsonl").exists()


def test_signals_that_come_together_are_one(sqlite_template: Path, tmp_path: Path) -> None:
    with importing(sqlite_template, tmp_path) as command:
        for number in ENDS:
            os.kill(command.process.pid, number)
        status, *_ = command.end()
    assert status in [-number for number in ENDS]
    assert hidden(tmp_path) == []


def test_hang_up_is_the_status_though_the_terminal_takes_no_words(
    sqlite_template: Path, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    with (
        os.fdopen(theirs, "wb") as terminal,
        importing(sqlite_template, tmp_path, terminal) as command,
    ):
        terminal.close()
        seen = b""
        while b"Importing" not in seen:
            seen += os.read(ours, 4_096)
        os.close(ours)
        command.process.send_signal(signal.SIGHUP)
        status, *_ = command.end()
    assert status == -signal.SIGHUP
    assert hidden(tmp_path) == []


def test_interrupt_while_a_command_is_imported_ends_it_silently(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(INTERRUPTED)
    done = run_main("--app", "work:app", "version", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_interrupt_while_the_command_line_is_imported_ends_it_silently(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(INTERRUPTED)
    done = run(["/usr/bin/env", f"PYTHONPATH={tmp_path}", *MAIN, "version"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_third_signal_ends_a_command_that_goes_on(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(STUBBORN)
    with running_main("--app", "work:app", "work", folder=tmp_path, secret_key=SECRET) as command:
        for told in (b"works\n", b"caught SystemExit\n"):
            assert command.stdout.readline() == told
            command.process.send_signal(signal.SIGTERM)
        command.stdin.write(b"goes on\n")
        assert command.stdout.readline() == b"goes on\n"
        command.process.send_signal(signal.SIGTERM)
        command.stdin.write(b"has ended\n")
        assert command.end() == (-signal.SIGTERM, "", "")


def test_command_whose_rule_awaits_is_ended_by_the_event_loop(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(RULE)
    done = run_main("--app", "work:app", "wait", folder=tmp_path, secret_key=SECRET)
    assert (done.stdout, done.stderr) == ("callback goes on\nis clean\n", "")
    assert done.returncode == -signal.SIGTERM


def test_signal_that_is_ignored_stays_so(sqlite_template: Path, tmp_path: Path) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    with subprocess.Popen(  # noqa: S603 — our own program
        ["/bin/sh", "-c", 'trap "" HUP && exec "$@"', "sh", *MAIN, *IMPORT],
        cwd=tmp_path,
        env=environment(database_url=url, secret_key=SECRET),
        stdin=PIPE,
        stderr=PIPE,
    ) as process:
        assert process.stdin
        process.stdin.write(LINES)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=PATIENCE)  # which ends its input
    assert process.returncode == 1  # as lines are refused
    assert hidden(tmp_path) == []
    assert (tmp_path / "refused.jsonl").exists()


@pytest.mark.parametrize("command", [("export", "customers.csv"), ("asks",)])
@pytest.mark.parametrize("number", ENDS)
def test_command_that_is_ended_as_an_answer_comes_leaves_no_file(
    seeded_postgres: str, tmp_path: Path, number: signal.Signals, command: tuple[str, ...]
) -> None:
    for call in CALLS:
        (tmp_path / "work.py").write_text(SIGNALLED.format(call=call, number=int(number)))
        done = run_main(
            *("--app", "work:app", *command),
            folder=tmp_path,
            database_url=seeded_postgres,
            secret_key=SECRET,
        )
        assert (done.returncode, done.stdout, done.stderr) == (-number, "", ""), call
        assert hidden(tmp_path) == []
        assert not (tmp_path / "customers.csv").exists()


@pytest.mark.parametrize("number", ENDS)
def test_export_that_nobody_reads_on_is_ended(
    sqlite_template: Path, tmp_path: Path, number: signal.Signals
) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    seed(tmp_path, url)
    export = ("export", "-", "--format", "csv")
    with running_main(*export, folder=tmp_path, database_url=url, secret_key=SECRET) as command:
        with Path(f"/dev/fd/{command.stdout.fileno()}").open("wb") as pipe:
            while select.select([], [pipe], [], 0)[1]:  # until it is full
                time.sleep(0.01)
        command.process.send_signal(number)
        status, _, told = command.end()
    assert (status, told) == (-number, "")


@pytest.mark.parametrize("number", ENDS)
async def test_export_that_is_ended_leaves_no_hashes(
    postgres: Postgres, tmp_path: Path, number: signal.Signals
) -> None:
    export = ("export", "customers.csv", "--with-password-hashes")
    with (
        postgres.copied() as url,
        running_main(*export, folder=tmp_path, database_url=url, secret_key=SECRET) as command,
    ):
        async with Database(url) as database, database.transaction() as db:
            await db.execute(text("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE"))
            ended = asyncio.create_task(asyncio.to_thread(command.end))
            await until_it_waits(db, ended)
            assert hidden(tmp_path)
            command.process.send_signal(number)
            status, *_ = await ended
    assert status == -number
    assert hidden(tmp_path) == []


def test_no_command_has_an_event_loop_in_which_signals_raise() -> None:
    loops = [
        name for name, source in MODULES.items() if re.search(r"asyncio\.(run|Runner)\b", source)
    ]
    assert loops == ["lib.signals"], "Use signals.run()."
