"""Telemetry: log lines, metrics over several processes, and traces."""

from typing import TYPE_CHECKING

from gql_app.lib.telemetry.logs import (
    bind_log_context,
    configure_logging,
    get_logger,
    is_configured,
)
from gql_app.lib.telemetry.metrics import (
    NO_ANSWER,
    NO_OPERATION,
    STATUS_NAMES,
    Labels,
    Metrics,
)

if TYPE_CHECKING:
    from gql_app.lib.telemetry.tracing import Tracing

__all__ = [
    "NO_ANSWER",
    "NO_OPERATION",
    "STATUS_NAMES",
    "Labels",
    "Metrics",
    "Tracing",
    "bind_log_context",
    "configure_logging",
    "get_logger",
    "is_configured",
]


def __getattr__(name: str) -> object:
    """Return Tracing, imported when it is first asked for: OpenTelemetry may not be installed.

    Raises AttributeError for any other name.
    """
    if name != "Tracing":
        raise AttributeError(name)
    from gql_app.lib.telemetry.tracing import Tracing  # noqa: PLC0415 — as above

    return Tracing
