"""Numbers of several processes: each keeps its own in a folder, and any of them adds them up."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from prometheus_client import Metric
from prometheus_client.multiprocess import MultiProcessCollector


class Shared:
    """A folder of numbers, in which each process holds a lock for as long as it lives.

    What a process has counted stays when it is gone, be it killed; what it only had for the
    moment goes with it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._alive: Final = self._lock_of(str(os.getpid())).open("wb")

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """Make this process's files in the block: nobody reads what has but begun."""
        with self._guarded(fcntl.LOCK_EX):
            fcntl.flock(self._alive, fcntl.LOCK_EX)
            yield

    def collect(self) -> Iterable[Metric]:
        """Add up what all processes have written down."""
        with self._guarded(fcntl.LOCK_SH):
            for gauges in self._folder.glob("gauge_live*_*.db"):
                if not self._lives(gauges.stem.rpartition("_")[2]):
                    gauges.unlink(missing_ok=True)
            added = MultiProcessCollector(None, str(self._folder))  # type: ignore[no-untyped-call]
            metrics: Iterable[Metric] = added.collect()  # type: ignore[no-untyped-call]
            return metrics

    @contextmanager
    def _guarded(self, kind: int) -> Iterator[None]:
        with (self._folder / "all.lock").open("wb") as guard:
            fcntl.flock(guard, kind)
            yield

    def _lives(self, process_id: str) -> bool:
        """Tell whether a process holds its lock; unlike its id, that is nobody else's later."""
        with self._lock_of(process_id).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _lock_of(self, process_id: str) -> Path:
        return self._folder / f"{process_id}.lock"
