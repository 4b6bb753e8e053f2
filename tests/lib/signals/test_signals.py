"""Signals end a coroutine by cancelling it, whatever its event loop is doing, and raise nothing."""

import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest

PROGRAM = """
import asyncio, os, signal, sys, threading
from gql_app.lib import signals

def come():
    signal.raise_signal(signal.{name})

def told(*what):
    print(*what, flush=True)

{work}

signals.end_by_signals()
try:
    told("returned", signals.run(work()))
    told("goes on")
except BaseException as why:
    told("raised", type(why).__name__)
    raise
"""
ENDS = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@dataclass(frozen=True)
class Moment:
    """Work during which a signal comes, and what it prints until the process ends."""

    work: str
    told: list[str]


CALLBACK = Moment(
    """
async def work():
    def callback():
        come()
        told("callback goes on")

    asyncio.get_running_loop().call_soon(callback)
    try:
        await asyncio.Event().wait()
    finally:
        told("ends by", sys.exc_info()[0].__name__)
        await asyncio.sleep(0)
        told("is clean")
""",
    ["callback goes on", "ends by CancelledError", "is clean", "raised SystemExit"],
)
"""The callback of a protocol is another callback of the loop."""
STEP = Moment(
    """
async def work():
    come()
    told("step goes on")
    await asyncio.Event().wait()
""",
    ["step goes on", "raised SystemExit"],
)
LAST_STEP = Moment(
    """
async def work():
    come()
    told("step goes on")
""",
    ["step goes on", "raised SystemExit"],
)
SWALLOWED = Moment(
    """
async def work():
    asyncio.get_running_loop().call_soon(come)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        told("goes on")
""",
    ["goes on", "raised SystemExit"],
)
FAILED = Moment(
    """
async def work():
    asyncio.get_running_loop().call_soon(come)
    try:
        await asyncio.Event().wait()
    finally:
        raise ConnectionError
""",
    ["raised SystemExit"],
)
BEGINNING = Moment(
    """
make = asyncio.new_event_loop

def made():
    come()
    told("loop is made")
    return make()

asyncio.events.new_event_loop = made

async def work():
    told("begins")
    await asyncio.Event().wait()
""",
    ["loop is made", "begins", "raised SystemExit"],
)
CLOSING = Moment(
    """
async def generated():
    try:
        yield
    finally:
        come()
        await asyncio.sleep(0)
        told("generator is closed")

async def work():
    global kept
    kept = generated()
    await anext(kept)
""",
    ["generator is closed", "raised SystemExit"],
)
TWICE = Moment(
    """
async def work():
    asyncio.get_running_loop().call_soon(come)
    try:
        await asyncio.Event().wait()
    finally:
        come()
        await asyncio.sleep(0)
        told("is clean")
""",
    ["is clean", "raised SystemExit"],
)
WAITING = Moment(
    """
async def work():
    reading, writing = os.pipe()
    threading.Timer(0, lambda: os.write(writing, b"x") and come_by_process()).start()
    with signals.interruptible():
        os.read(reading, 1)
        os.read(reading, 1)  # nothing follows

def come_by_process():
    os.kill(os.getpid(), signal.{name})
""",
    ["raised SystemExit"],
)
"""A read of a pipe, which the loop can't cancel."""
BEFORE_WAITING = Moment(
    """
async def work():
    come()
    told("step goes on")
    with signals.interruptible():
        told("waits")
""",
    ["step goes on", "raised SystemExit"],
)
NO_LOOP = Moment(
    """
def work():
    come()
    told("goes on")
""",
    ["raised SystemExit"],
)
MOMENTS = {name.lower(): each for name, each in list(globals().items()) if isinstance(each, Moment)}


def ended(moment: Moment, name: str) -> subprocess.CompletedProcess[str]:
    """Return how a process ends to which a signal comes at some moment."""
    work = moment.work.replace("{name}", name)
    return subprocess.run(  # noqa: S603 — our own program
        [sys.executable, "-c", PROGRAM.format(name=name, work=work)],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_signal_ends_a_process_at_any_moment_once_all_is_clean(moment: str, name: str) -> None:
    done = ended(MOMENTS[moment], name)
    assert done.stdout.splitlines() == MOMENTS[moment].told
    assert (done.returncode, done.stderr) == (-getattr(signal, name), "")


def test_third_signal_kills() -> None:
    third = Moment(TWICE.work.replace("come()\n        await", "come(), come()\n        await"), [])
    done = ended(third, "SIGTERM")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "", "")


def test_result_is_returned_without_a_signal() -> None:
    done = ended(Moment("async def work():\n    return 'all'", []), "SIGTERM")
    assert done.stdout.splitlines() == ["returned all", "goes on"]
    assert (done.returncode, done.stderr) == (0, "")
