"""The program with a profiler, which starts at SIGUSR1 and stops at SIGUSR2.

It records the stack hundreds of times a second, which slows little down and counts no calls;
cProfile, which counts every call, would exaggerate the cost of small functions.
"""

import json
import signal
import sys
import time
from asyncio import Runner
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

INTERVAL: Final = 0.002
"""Seconds between two samples; a timer of CPU time would be no finer than 10 ms."""
LOOP: Final = Runner.run.__code__
"""The function at the bottom of every request's stack."""
Handle = Callable[[int, FrameType | None], None]


def sampling(file: Path) -> tuple[Handle, Handle]:
    """Return the handlers that start and stop the sampling.

    Each sample is weighted by the event loop's CPU time since the last one, so waiting counts for
    nothing; other threads, which hash passwords and read SQLite, are not sampled.
    """
    own: Counter[CodeType] = Counter()
    within: Counter[CodeType] = Counter()
    last = 0

    def look(_: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.thread_time_ns()
        weight, last = now - last, now
        if frame:
            own[frame.f_code] += weight
        seen = set()
        while frame and frame.f_code is not LOOP:
            seen.add(frame.f_code)
            frame = frame.f_back
        for code in seen:
            within[code] += weight

    def begin(_: int, __: FrameType | None) -> None:
        nonlocal last
        last = time.thread_time_ns()
        signal.signal(signal.SIGALRM, look)
        signal.setitimer(signal.ITIMER_REAL, INTERVAL, INTERVAL)

    def end(_: int, __: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        file.write_text(json.dumps({"own": _named(own), "within": _named(within)}), "utf-8")

    return begin, end


def _named(counts: Counter[CodeType]) -> Counter[str]:
    named: Counter[str] = Counter()
    for code, count in counts.items():
        where = Path(code.co_filename)
        place = f"{where.parent.name}/{where.name}:{code.co_firstlineno}"
        named[f"{code.co_qualname}\t{place}"] += count
    return named


def main() -> None:
    """Run the program's command line with a profiler: python -m bench.profiled FILE ..."""
    file, *arguments = sys.argv[1:]
    begin, end = sampling(Path(file))
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    sys.argv = ["main.py", *arguments]
    from gql_app.cli import command_line, report_faults  # noqa: PLC0415 — once the signals are heard

    with report_faults():
        command_line(arguments)()


if __name__ == "__main__":
    main()
