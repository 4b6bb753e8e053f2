"""Metrics of several processes: each keeps its own in a folder, and any of them adds them up."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector


class MultiprocessRegistry:
    """A folder of metrics, in which each process holds a lock for as long as it lives.

    What a process has counted stays when it is gone, be it killed, and is put together with what
    others had that are gone; its gauges go with it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._alive: IO[bytes] | None = None

    @contextmanager
    def registering(self) -> Iterator[None]:
        """Make this process's files within the block, in which no other process reads any."""
        with self._locked():
            self._alive = (self._folder / f"{os.getpid()}.lock").open("wb")
            fcntl.flock(self._alive, fcntl.LOCK_EX)
            yield

    def collect(self) -> Iterable[Metric]:
        """Return the sums of what all processes have counted."""
        with self._locked():
            for lock in self._folder.glob("[0-9]*.lock"):
                if not _is_held(lock):
                    self._fold_dead_process(lock)
            collector = MultiProcessCollector(None, str(self._folder))
            metrics: Iterable[Metric] = collector.collect()
            return metrics

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "all.lock").open("wb") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def _fold_dead_process(self, lock: Path) -> None:
        """Add up the files of the processes that are gone, so that their number doesn't grow."""
        for kind in ("counter", "histogram"):
            left = self._folder / f"{kind}_{lock.stem}.db"
            if not left.exists():  # it was killed before it could begin
                continue
            gone = MmapedDict(str(self._folder / f"{kind}_gone.db"))
            for key, value, *_ in MmapedDict.read_all_values_from_file(str(left)):
                gone.write_value(key, gone.read_value(key)[0] + value, 0)
            gone.close()
            left.unlink()
        for gauges in self._folder.glob(f"gauge_*_{lock.stem}.db"):
            gauges.unlink()
        lock.unlink()


def _is_held(lock: Path) -> bool:
    """Return whether a process holds its lock; an id alone may be another process's by now."""
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
