"""Processor cores: the measured server has one to itself; all other processes share the others."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROCESS_CLOCK: Final = 2
"""Linux's id of the clock of a process's CPU time, in nanoseconds (CPUCLOCK_SCHED)."""
_CORES: Final = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
"""The cores that the process may use, regardless of its later pinning."""


def pin_measured(pid: int) -> None:
    """Pin a server to the first core, where the system supports it."""
    _pin(pid, _CORES[:1])


def pin_rest(pid: int = 0) -> None:
    """Pin a process, and its future children, to the other cores."""
    _pin(pid, _CORES[1:])


def cpu_times(pid: int) -> dict[int, float]:
    """Return the CPU time of a process and its descendants, all threads included, by process id.

    It is in seconds, exact to the nanosecond, by Linux's clocks: /proc counts in hundredths of a
    second.
    """
    times = {}
    for each in family(pid):
        with suppress(OSError):  # it may have ended meanwhile
            times[each] = time.clock_gettime_ns(~each << 3 | _PROCESS_CLOCK) / 1e9
    return times


def first_thread(pid: int) -> float:
    """Return the CPU time of a process's first thread, in seconds."""
    told = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="ascii")
    return int(told.split()[0]) / 1e9


def taken(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Return the CPU seconds between two readings, without processes that ended in between."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def peak_memory(pid: int) -> float:
    """Return the peak memory of the largest process among a process and its descendants, in MiB."""
    peaks = []
    for each in family(pid):
        lines = Path(f"/proc/{each}/status").read_text(encoding="utf-8").splitlines()
        peaks.append(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")))
    return max(peaks) / 1024


def family(pid: int) -> Iterator[int]:
    """Yield the ids of a process and all its descendants."""
    yield pid
    children: list[str] = []
    for task in _tasks(pid):
        with suppress(OSError):  # a thread may end meanwhile
            children += (task / "children").read_text(encoding="ascii").split()
    for child in children:
        yield from family(int(child))


def _tasks(pid: int) -> list[Path]:
    """Return the folders of a process's threads in /proc; none if it has ended."""
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _pin(pid: int, cores: list[int]) -> None:
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, cores)
