"""SIGTERM and SIGHUP, which end a command once its blocks are left, as Ctrl-C does."""

import asyncio
import atexit
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any, Final, TypeVar

__all__ = ["end_by_signals", "interruptible", "run"]

R = TypeVar("R")
_HANG_UP: Final = getattr(signal, "SIGHUP", None)
"""The signal of a terminal that is closed; Windows has none."""
_came: Final[list[int]] = []
"""The signals that came."""


def end_by_signals() -> None:
    """Let SIGTERM and SIGHUP end the process once its blocks are left, as on Ctrl-C.

    So unfinished files are removed. A second signal does not interrupt that; a third one kills. One
    that is ignored, as by nohup, stays so.
    """
    known = [each for each in signal.valid_signals() if each in (signal.SIGTERM, _HANG_UP)]
    caught = [each for each in known if signal.getsignal(each) == signal.SIG_DFL]

    def take(number: int, _: FrameType | None) -> None:
        _came.append(number)
        if len(_came) == 1:
            _answers[-1]()
        else:
            for each in caught:
                signal.signal(each, signal.SIG_DFL)

    atexit.register(_end)  # first, and so it is the last to run
    for each in caught:
        signal.signal(each, take)


def run(work: Coroutine[Any, Any, R]) -> R:
    """Return the result of a coroutine as asyncio.run() does; the signals cancel it.

    They raise nothing inside the event loop: its protocols don't survive that, and then others wait
    for them for ever.
    """

    async def cancelled_by_signals() -> R:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task  # noqa: S101 — for mypy
        with _answered(lambda: loop.call_soon_threadsafe(task.cancel)):
            return await work

    try:
        with _answered(lambda: None):  # while the loop is made, and closed
            return asyncio.run(cancelled_by_signals())
    finally:
        if _came:
            _leave()


def interruptible() -> AbstractContextManager[None]:
    """Let the signals exit at once from a block in run() that waits for a pipe, and awaits nothing.

    The loop can't cancel it.
    """
    return _answered(_leave)


@contextmanager
def _answered(answer: Callable[[], object]) -> Iterator[None]:
    """Call a function when the first signal comes in the block, or at once if it has come."""
    _answers.append(answer)
    try:
        if _came:
            answer()
        yield
    finally:
        _answers.pop()


def _leave() -> None:
    sys.exit(128 + _came[0])


def _end() -> None:
    """End by the signal that came, whatever leaving the blocks led to."""
    if _came:
        signal.signal(_came[0], signal.SIG_DFL)
        os.kill(os.getpid(), _came[0])  # process 1 of a container exits with 128 + number


_answers: Final[list[Callable[[], object]]] = [_leave]
"""What the first signal calls: the last of them."""
