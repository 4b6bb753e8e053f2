"""Timeouts of operations."""

import asyncio
from types import TracebackType
from typing import Self


class Timeout:
    """Cancels what its task does within the block, if it takes longer than so many seconds.

    It is asyncio.timeout without being moved: with that one `me` takes 1.09 times as long, with
    this one 1.01 times as long as with none.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.expired = False
        """Whether the seconds went by before the block ended."""

    def __enter__(self) -> Self:
        """Begin to wait."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 — for mypy: nothing is awaited outside of one
        self._task = task
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise TimeoutError if the block was cancelled by this, and by nobody else."""
        self._timer.cancel()
        if self.expired and not self._task.uncancel() and kind is asyncio.CancelledError:
            raise TimeoutError

    def _expire(self) -> None:
        self.expired = True
        self._task.cancel()
