"""Commands that a signal ends: their parent sees it, and they leave no unfinished file."""

import asyncio
import os
import pty
import re
import signal
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from sqlalchemy import text

from gql_app.lib.database import Database
from tests.commands import output_here
from tests.conftest import SECRET
from tests.databases import Postgres, copied_sqlite
from tests.laws import MODULES
from tests.locks import until_it_waits
from tests.processes import MAIN, PATIENCE, environment

ENDS = [signal.SIGTERM, signal.SIGHUP]
LINES = b'{"name": "Ada", "email": "not an address"}\n' * 10_000
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


async def started(
    *arguments: str,
    folder: Path,
    prefix: tuple[str, ...] = (),
    stderr: int = PIPE,
    **settings: str,
) -> Process:
    """Start a command."""
    return await asyncio.create_subprocess_exec(
        *(*prefix, *MAIN, *arguments),
        cwd=folder,
        env=environment(**settings, secret_key=SECRET),
        stdin=PIPE,
        stdout=PIPE,
        stderr=stderr,
    )


async def importing(folder: Path, *prefix: str, stderr: int = PIPE) -> Process:
    """Start an import, whose report has begun; return when it reads on and waits."""
    output_here("migrate", folder=folder, secret_key=SECRET)
    process = await started(*IMPORT, folder=folder, prefix=prefix, stderr=stderr)
    assert process.stdin
    process.stdin.write(LINES)
    await process.stdin.drain()
    return process


async def seeded(folder: Path, url: str) -> None:
    """Add so many customers that an answer is no single packet, and a pipe does not hold them."""
    settings = {"database_url": url, "secret_key": SECRET}
    await asyncio.to_thread(output_here, "seed", "--count", "5000", folder=folder, **settings)


async def ended(process: Process) -> tuple[bytes, bytes]:
    """Return what a process prints until it ends."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await process.communicate()
    except TimeoutError:
        process.kill()
        raise


def hidden(folder: Path) -> list[str]:
    """Return the names of unfinished files."""
    return [each.name for each in folder.iterdir() if each.name.startswith(".")]


@pytest.mark.parametrize("number", ENDS)
async def test_import_that_is_ended_leaves_no_report(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = await importing(tmp_path)
    assert hidden(tmp_path)
    process.send_signal(number)
    _, told = await process.communicate()
    assert (process.returncode, told) == (-number, b"")
    assert hidden(tmp_path) == []
    assert not (tmp_path / "refused.jsonl").exists()


async def test_signals_that_come_together_are_one(tmp_path: Path) -> None:
    process = await importing(tmp_path)
    for number in ENDS:
        process.send_signal(number)
    await process.communicate()
    assert process.returncode in [-number for number in ENDS]
    assert hidden(tmp_path) == []


async def test_hang_up_is_the_status_though_the_terminal_takes_no_words(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = await importing(tmp_path, stderr=theirs)
    os.close(theirs)
    seen = b""
    while b"Importing" not in seen:
        seen += await asyncio.to_thread(os.read, ours, 4_096)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    await process.communicate()
    assert process.returncode == -signal.SIGHUP
    assert hidden(tmp_path) == []


async def test_interrupt_while_a_command_is_imported_ends_it_silently(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(INTERRUPTED)
    process = await started("--app", "work:app", "version", folder=tmp_path)
    told = await ended(process)
    assert (process.returncode, *told) == (130, b"", b"")


async def test_interrupt_while_the_command_line_is_imported_ends_it_silently(
    tmp_path: Path,
) -> None:
    (tmp_path / "typer.py").write_text(INTERRUPTED)
    process = await started(
        "version", folder=tmp_path, prefix=("/usr/bin/env", f"PYTHONPATH={tmp_path}")
    )
    told = await ended(process)
    assert (process.returncode, *told) == (130, b"", b"")


async def test_third_signal_ends_a_command_that_goes_on(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(STUBBORN)
    process = await started("--app", "work:app", "work", folder=tmp_path)
    assert process.stdin
    assert process.stdout
    for told in (b"works\n", b"caught SystemExit\n"):
        assert await process.stdout.readline() == told
        process.send_signal(signal.SIGTERM)
    process.stdin.write(b"goes on\n")
    assert await process.stdout.readline() == b"goes on\n"
    process.send_signal(signal.SIGTERM)
    more, _ = await process.communicate(b"has ended\n")
    assert (process.returncode, more) == (-signal.SIGTERM, b"")


async def test_command_whose_rule_awaits_is_ended_by_the_event_loop(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(RULE)
    process = await started("--app", "work:app", "wait", folder=tmp_path)
    assert await ended(process) == (b"callback goes on\nis clean\n", b"")
    assert process.returncode == -signal.SIGTERM


async def test_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    process = await importing(tmp_path, "/bin/sh", "-c", 'trap "" HUP && exec "$@"', "sh")
    process.send_signal(signal.SIGHUP)
    await process.communicate(b"")  # which ends its input
    assert process.returncode == 1  # as lines are refused
    assert hidden(tmp_path) == []
    assert (tmp_path / "refused.jsonl").exists()


@pytest.mark.parametrize("command", [("export", "customers.csv"), ("asks",)])
@pytest.mark.parametrize("number", ENDS)
async def test_command_that_is_ended_as_an_answer_comes_leaves_no_file(
    postgres: Postgres, tmp_path: Path, number: signal.Signals, command: tuple[str, ...]
) -> None:
    with postgres.copied() as url:
        await seeded(tmp_path, url)
        for call in CALLS:
            program = SIGNALLED.format(call=call, number=int(number))
            (tmp_path / "work.py").write_text(program)
            process = await started(
                *("--app", "work:app", *command), folder=tmp_path, database_url=url
            )
            told = await ended(process)
            assert (process.returncode, *told) == (-number, b"", b""), call
            assert hidden(tmp_path) == []
            assert not (tmp_path / "customers.csv").exists()


@pytest.mark.parametrize("number", ENDS)
async def test_export_that_nobody_reads_on_is_ended(
    sqlite_template: Path, tmp_path: Path, number: signal.Signals
) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    await seeded(tmp_path, url)
    process = await started("export", "-", "--format", "csv", folder=tmp_path, database_url=url)
    assert process.stdout
    assert await process.stdout.readline()  # more follows than a pipe holds
    process.send_signal(number)
    _, told = await ended(process)
    assert (process.returncode, told) == (-number, b"")


@pytest.mark.parametrize("number", ENDS)
async def test_export_that_is_ended_leaves_no_hashes(
    postgres: Postgres, tmp_path: Path, number: signal.Signals
) -> None:
    with postgres.copied() as url:
        async with Database(url) as database, database.transaction() as db:
            await db.execute(text("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE"))
            process = await started(
                *("export", "customers.csv", "--with-password-hashes"),
                folder=tmp_path,
                database_url=url,
            )
            ended = asyncio.create_task(process.wait())
            await until_it_waits(db, ended)
            assert hidden(tmp_path)
            process.send_signal(number)
            assert await ended == -number
    assert hidden(tmp_path) == []


def test_no_command_has_an_event_loop_in_which_signals_raise() -> None:
    loops = [
        name for name, source in MODULES.items() if re.search(r"asyncio\.(run|Runner)\b", source)
    ]
    assert loops == ["lib.signals"], "Use signals.run()."
