"""Metrics: counters, gauges and histograms, and their exposition to a scraper."""

import os
import platform
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.openmetrics import exposition as openmetrics

from gql_app.lib.telemetry.logs import NonBlockingStream

NO_OPERATION: Final = "none"
"""The operation of a request that never became a GraphQL operation."""
OPERATIONS: Final = ("query", "mutation", NO_OPERATION)
"""Values of the label `operation`."""
NO_ANSWER: Final = "CLIENT_CLOSED_REQUEST"
"""The outcome of a request whose client is gone."""
STATUS_NAMES: Final[Mapping[int, str]] = {
    **{status.value: status.name for status in HTTPStatus},
    413: "REQUEST_ENTITY_TOO_LARGE",
    414: "REQUEST_URI_TOO_LONG",
    416: "REQUESTED_RANGE_NOT_SATISFIABLE",
    422: "UNPROCESSABLE_ENTITY",
}
"""The names of HTTP's statuses in logs and metrics; Python 3.13 has other ones for these four."""
_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds, from the time of a small answer to the longest that an operation may take."""
_CPU: Final = "process_cpu_seconds"
_PROCESS_GAUGES: Final = ("process_resident_memory_bytes", "process_open_fds")


@dataclass(frozen=True, slots=True)
class Labels:
    """Values of labels, all known at the start, so that no client can add one."""

    outcomes: Sequence[str]
    """Outcomes of requests, the most severe first; of several, the first counts."""
    refusals: Collection[str]
    """The outcomes that are refusals, of an operation or of a request before it is one."""
    early_refusals: Collection[str]
    """The refusals of a request before it is an operation."""
    sign_ins: Collection[str]
    """Results of a sign-in."""
    limits: Collection[str]
    """Rate limits."""
    letters: Sequence[str]
    """Results of sending a letter."""
    lists: Sequence[str]
    """Results of reading a list: the standby, or why the primary instead."""
    lookups: Sequence[str]
    """Results of looking up a new password among stolen ones."""
    faults: Collection[str] = ()
    """Outcomes that are exposed as 0 before they happen, so that an alert sees the first."""


class Metrics:
    """The metrics of one process; with a folder, of all processes that share it.

    Of sign_ins, throttled, letters, lists and lookups, each value of the label has its counter.
    """

    def __init__(self, labels: Labels, version: str, folder: Path | None = None) -> None:
        self._labels: Final = labels
        prometheus_client.disable_created_metrics()
        self._registry: Final = CollectorRegistry()
        self._shared: Final = _SharedFolder(folder) if folder else None
        self._process: Final = ProcessCollector(registry=None)
        self._cpu_seconds = 0.0
        self._lines_dropped = NonBlockingStream.lines_dropped
        self._counter: Final = lru_cache(128)(self._new_counter)
        with self._shared.registering() if self._shared else nullcontext():
            self._make(version)

    def request(self, operation: str, outcome: str, seconds: float) -> None:
        """Count a request, by its operation and its outcome in the log."""
        self._counter(operation, outcome).inc()
        self._seconds[operation].observe(seconds)
        if outcome != "OK":
            labels = self._labels  # an unknown path is NOT_FOUND, too, and no refusal
            known = labels.early_refusals if operation == NO_OPERATION else labels.refusals
            for code in outcome.split():
                if code in known:
                    self._refusals[code].inc()

    def sample(self, passwords: Mapping[str, int], pools: Mapping[str, Mapping[str, int]]) -> None:
        """Set this process's gauges, and its counters of processor time and dropped log lines."""
        for state, number in passwords.items():
            self._passwords.labels(state).set(number)
        for pool, states in pools.items():
            for state, number in states.items():
                self._connections.labels(pool, state).set(number)
        process = {family.name: family.samples[0].value for family in self._process.collect()}
        for name, gauge in self._in_use.items():
            gauge.set(process.get(name, 0))
        used = process.get(_CPU, 0)
        self._cpu.inc(max(0, used - self._cpu_seconds))
        self._cpu_seconds = used
        dropped = NonBlockingStream.lines_dropped
        self._lines.inc(dropped - self._lines_dropped)
        self._lines_dropped = dropped

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics in the format that a scraper accepts, and its media type.

        The library's own choice fails on an invalid version, and repeats the header's text.
        """
        numbers = self._shared or self._registry
        if "application/openmetrics-text" in accept:
            text: bytes = openmetrics.generate_latest(numbers)
            return text, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(numbers), CONTENT_TYPE_PLAIN_0_0_4

    def _new_counter(self, operation: str, outcome: str) -> Counter:
        """Return the counter of requests; of an outcome's parts the most severe one counts."""
        parts = outcome.split()
        severe = next((each for each in self._labels.outcomes if each in parts), "other")
        return self._requests.labels(operation, severe)

    def _make(self, version: str) -> None:
        labels = self._labels
        self._requests = Counter(
            "gql_app_requests", "Requests.", ["operation", "outcome"], registry=self._registry
        )
        seconds = Histogram(
            "gql_app_request_duration_seconds",
            "Seconds from a request's head to the end of its answer.",
            ["operation"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._seconds = {name: seconds.labels(name) for name in OPERATIONS}
        for operation in OPERATIONS:
            for fault in labels.faults:
                self._counter(operation, fault)
        self._refusals = self._each("refusals", "What was refused.", "reason", labels.refusals)
        self.sign_ins = self._each("sign_ins", "Tries to sign in.", "result", labels.sign_ins)
        self.throttled = self._each("throttled", "What hit a limit.", "limit", labels.limits)
        self.letters = self._each("letters", "Letters.", "result", labels.letters)
        self.lists = self._each(
            "standby_reads", "Lists that a standby was to answer.", "result", labels.lists
        )
        self.lookups = self._each(
            "breached_password_checks", "Lookups among stolen ones.", "result", labels.lookups
        )
        self._passwords = self._gauge("gql_app_passwords", "Passwords that are hashed.", "state")
        self._connections = self._gauge(
            "gql_app_database_connections", "Connections to the database.", "pool", "state"
        )
        self._gauge("gql_app_processes", "Processes that serve.").set(1)
        self._in_use = {
            name: self._gauge(name, "As the system tells it.") for name in _PROCESS_GAUGES
        }
        self._lines = Counter(
            "gql_app_log_lines_dropped", "Log lines nobody read.", registry=self._registry
        )
        self._cpu = Counter(_CPU, "Processor time.", registry=self._registry)
        build = self._gauge("gql_app_build_info", "What runs.", "version", "python", mode="livemax")
        build.labels(version, platform.python_version()).set(1)

    def _each(self, noun: str, words: str, label: str, values: Iterable[str]) -> dict[str, Counter]:
        """Return a counter for each value of one label; all are exposed as 0 at first."""
        counter = Counter(f"gql_app_{noun}", words, [label], registry=self._registry)
        return {value: counter.labels(value) for value in values}

    def _gauge(
        self, name: str, words: str, *labels: str, mode: Literal["livesum", "livemax"] = "livesum"
    ) -> Gauge:
        return Gauge(name, words, labels, registry=self._registry, multiprocess_mode=mode)


class _SharedFolder:
    """A folder of metrics, in which each process holds a file lock while it lives.

    The counters of a process that is gone, even if it was killed, are kept, in the same files as
    those of other dead processes; its gauges are removed. Raises ImportError where files have no
    such locks, as on Windows.
    """

    def __init__(self, folder: Path) -> None:
        import fcntl  # noqa: PLC0415 — one process alone needs none of it

        self._folder: Final = folder
        self._lock: Final = fcntl.flock
        self._exclusive, self._shared = fcntl.LOCK_EX, fcntl.LOCK_SH | fcntl.LOCK_NB

    @contextmanager
    def registering(self) -> Iterator[None]:
        """Lock the folder for the block, in which this process's files are made."""
        with self._locked():
            self._own_lock = (self._folder / f"{os.getpid()}.lock").open("wb")
            self._lock(self._own_lock, self._exclusive)
            yield

    def collect(self) -> Iterable[Metric]:
        """Return the sums of what all processes have counted."""
        with self._locked():
            for lock in self._folder.glob("[0-9]*.lock"):
                # A process's id may be reused by now, but nothing holds its lock.
                with lock.open("rb") as file, suppress(BlockingIOError):
                    self._lock(file, self._shared)
                    self._fold_dead_process(lock)
            collector = MultiProcessCollector(None, str(self._folder))
            metrics: Iterable[Metric] = collector.collect()
            return metrics

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "all.lock").open("wb") as guard:
            self._lock(guard, self._exclusive)
            yield

    def _fold_dead_process(self, lock: Path) -> None:
        """Merge a dead process's files into common ones, so that their number doesn't grow."""
        for kind in ("counter", "histogram"):
            left = self._folder / f"{kind}_{lock.stem}.db"
            if not left.exists():  # it was killed before it made them
                continue
            gone = MmapedDict(str(self._folder / f"{kind}_gone.db"))
            for key, value, *_ in MmapedDict.read_all_values_from_file(str(left)):
                gone.write_value(key, gone.read_value(key)[0] + value, 0)
            gone.close()
            left.unlink()
        mark_process_dead(lock.stem, str(self._folder))  # which removes its gauges
        lock.unlink()
