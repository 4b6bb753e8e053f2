"""The metrics, and the values that their labels may have."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from gql_app import __version__
from gql_app.errors import TokenReason, UserErrorCode
from gql_app.lib.breached_passwords import Lookup
from gql_app.lib.outbox import Outcome
from gql_app.lib.standby import Reading
from gql_app.lib.telemetry import NO_ANSWER, STATUS_NAMES, Labels, Metrics

FAULTS: Final = ("INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "DEADLINE_EXCEEDED")
"""Outcomes that are no client's fault, the most severe first."""
_CODES: Final = (
    "DEADLINE_EXCEEDED",
    *TokenReason,
    "ADMIN_REQUIRED",
    "PERMISSION_REQUIRED",
    "REAUTHENTICATION_REQUIRED",
    "SECOND_FACTOR_ENROLMENT_REQUIRED",
    "PERSISTED_QUERY_HASH_MISMATCH",
    "PERSISTED_QUERY_NOT_FOUND",
    "PERSISTED_QUERY_NOT_IN_LIST",
    "PERSISTED_QUERY_NOT_SUPPORTED",
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "OPERATION_RESOLUTION_FAILURE",
    "BAD_USER_INPUT",
)
OUTCOMES: Final = (
    *FAULTS,
    *_CODES,
    *UserErrorCode,
    *STATUS_NAMES.values(),
    NO_ANSWER,
)
"""Outcomes of a request, the most severe first."""
REASONS: Final = (*_CODES, "FORBIDDEN", *UserErrorCode)
"""Reasons of a refusal; a fault of the server's own is none."""
SIGN_INS: Final = ("success", "second_factor", "wrong", "unverified", "throttled", "failed")
"""Results of a sign-in; `failed` is a fault of the server's own."""


def new_metrics(
    limits: Collection[str] = (), codes: Collection[str] = (), folder: Path | None = None
) -> Metrics:
    """Return metrics, all at zero; with a folder, shared with the processes that use it.

    `limits` are the labels of the rate limits, `codes` the error codes of features.
    """
    outcomes, reasons = (*OUTCOMES, *codes), (*REASONS, *codes)
    results = [*Outcome], [*Reading], [*Lookup]
    labels = Labels(outcomes, reasons, _CODES, SIGN_INS, limits, *results, FAULTS)
    return Metrics(labels, __version__, folder)
