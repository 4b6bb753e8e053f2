"""Numbers to watch: what is counted, and how a scraper is told."""

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from gql_app import __version__
from gql_app.lib.telemetry.labels import (
    CODES,
    LIMITS,
    OPERATIONS,
    REASONS,
    SIGN_INS,
    gravest,
)
from gql_app.lib.telemetry.multiprocess import Shared

_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds: from what a small answer takes to what an operation may take at most."""
_Mode = Literal["livesum", "livemax"]
"""How the numbers of those who live are put together."""
_CPU: Final = "process_cpu_seconds"
_HELD: Final = ("process_resident_memory_bytes", "process_open_fds")


class Metrics:
    """The numbers of one process; with a folder, of all that share it, whichever is asked."""

    def __init__(self, folder: Path | None = None) -> None:
        prometheus_client.disable_created_metrics()
        self._registry: Final = CollectorRegistry()
        self._shared: Final = Shared(folder) if folder else None
        self._process: Final = ProcessCollector(registry=None)
        self._cpu_seconds = 0.0
        self._counted: Final[dict[tuple[str, str], Counter]] = {}
        if self._shared:
            with self._shared.beginning():
                self._make()
        else:
            self._make()

    def request(self, operation: str, outcome: str, seconds: float) -> None:
        """Count a request: what it asked for, and what the log says it came to."""
        counter = self._counted.get((operation, outcome)) or self._counter(operation, outcome)
        counter.inc()
        self._seconds[operation].observe(seconds)
        if outcome != "OK":
            known = REASONS if operation != OPERATIONS[-1] else CODES  # 404 is NOT_FOUND, too
            self.refused(code for code in outcome.split() if code in known)

    def refused(self, reasons: Iterable[str]) -> None:
        """Count what was refused, once for each reason."""
        for reason in reasons:
            self._refusals[reason].inc()

    def signed_in(self, result: str) -> None:
        """Count a try to sign in."""
        self._sign_ins[result].inc()

    def throttled(self, limit: str) -> None:
        """Count what ran into a limit."""
        self._throttled[LIMITS[limit]].inc()

    def sample(self, passwords: Mapping[str, int], pools: Mapping[str, Mapping[str, int]]) -> None:
        """Take down what this process has in hand at the moment, by what it is doing."""
        for state, number in passwords.items():
            self._passwords.labels(state).set(number)
        for pool, states in pools.items():
            for state, number in states.items():
                self._connections.labels(pool, state).set(number)
        told = {family.name: family.samples[0].value for family in self._process.collect()}
        for name, gauge in self._held.items():
            gauge.set(told.get(name, 0))
        used = told.get(_CPU, 0)
        self._cpu.inc(max(0, used - self._cpu_seconds))
        self._cpu_seconds = used

    def told(self, accept: str) -> tuple[bytes, str]:
        """Tell all numbers in the form that a scraper accepts, and what it is called.

        The library's own choice fails on a version that is none, and repeats what it is sent.
        """
        numbers = self._shared or self._registry
        if "application/openmetrics-text" in accept:
            text: bytes = openmetrics.generate_latest(numbers)
            return text, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(numbers), CONTENT_TYPE_PLAIN_0_0_4

    def _counter(self, operation: str, outcome: str) -> Counter:
        """Find where something counts that is seldom, or the first of its kind."""
        key = operation, gravest(outcome)
        if key not in self._counted:
            self._counted[key] = self._requests.labels(*key)
        return self._counted[key]

    def _make(self) -> None:
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
        self._refusals = self._each("refusals", "What was refused.", "reason", REASONS)
        self._sign_ins = self._each("sign_ins", "Tries to sign in.", "result", SIGN_INS)
        self._throttled = self._each("throttled", "What hit a limit.", "limit", LIMITS.values())
        self._passwords = self._gauge("gql_app_passwords", "Passwords that are hashed.", "state")
        self._connections = self._gauge(
            "gql_app_database_connections", "Connections to the database.", "pool", "state"
        )
        self._gauge("gql_app_processes", "Processes that serve.").set(1)
        self._held = {name: self._gauge(name, "As the system tells it.") for name in _HELD}
        self._cpu = Counter(_CPU, "Processor time.", registry=self._registry)
        build = self._gauge("gql_app_build_info", "What runs.", "version", "python", mode="livemax")
        build.labels(__version__, platform.python_version()).set(1)

    def _each(self, noun: str, words: str, label: str, values: Iterable[str]) -> dict[str, Counter]:
        """Make a counter of one label, each of whose values is told before it happens."""
        counter = Counter(f"gql_app_{noun}", words, [label], registry=self._registry)
        return {value: counter.labels(value) for value in values}

    def _gauge(self, name: str, words: str, *labels: str, mode: _Mode = "livesum") -> Gauge:
        return Gauge(name, words, labels, registry=self._registry, multiprocess_mode=mode)
