"""Processors: the server that is measured has one to itself, everything else shares the others."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROCESS_CLOCK: Final = 2
"""What Linux calls a clock that counts a whole process's time on a processor, in nanoseconds."""


def pin_measured(pid: int) -> None:
    """Put a server on the first processor, where the system lets us."""
    _pin(pid, _cores()[:1])


def pin_rest(pid: int = 0) -> None:
    """Put a process, and all that it starts from now on, on the processors that are left."""
    _pin(pid, _cores()[1:])


def cpu_times(pid: int) -> dict[int, float]:
    """Return the processor's time that a process and its children have taken, threads and all.

    It is in seconds, exact to the nanosecond, and Linux's own: /proc counts in hundredths of a
    second.
    """
    times = {}
    for each in family(pid):
        with suppress(OSError):  # it may have ended meanwhile
            times[each] = time.clock_gettime_ns(~each << 3 | _PROCESS_CLOCK) / 1e9
    return times


def first_thread(pid: int) -> float:
    """Return the processor's time that a process's first thread has taken, in seconds."""
    told = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="ascii")
    return int(told.split()[0]) / 1e9


def taken(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Return the seconds between two looks; what has ended in between takes its time with it."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def peak_memory(pid: int) -> float:
    """Return the most memory that the largest process of a family has held, in MiB."""
    return max(_peak(each) for each in family(pid))


def family(pid: int) -> Iterator[int]:
    """Name a process and all its descendants."""
    yield pid
    children: list[str] = []
    for task in _tasks(pid):
        with suppress(OSError):  # a thread may end while we look
            children += (task / "children").read_text(encoding="ascii").split()
    for child in children:
        yield from family(int(child))


def _tasks(pid: int) -> list[Path]:
    """List a process's threads; one that has ended has none."""
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) / 1024


def _cores() -> list[int]:
    """List the processors that the machine lets us have, whatever we are pinned to by now."""
    return sorted(_ALL)


def _pin(pid: int, cores: list[int]) -> None:
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, cores)


_ALL: Final = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
