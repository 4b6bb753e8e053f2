"""What a label may say: all of it is written down here, so that no client makes one up."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from gql_app.errors import TokenReason, UserErrorCode

OTHER: Final = "other"
"""What a request comes to that came to nothing that is written down."""
OPERATIONS: Final = ("query", "mutation", "none")
"""What a request asks for: none, if it never became a GraphQL operation."""
NO_ANSWER: Final = "CLIENT_CLOSED_REQUEST"
"""What a request comes to whose client is gone."""
CODES: Final = (
    "DEADLINE_EXCEEDED",
    *TokenReason,
    "ADMIN_REQUIRED",
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "OPERATION_RESOLUTION_FAILURE",
    "BAD_USER_INPUT",
)
OUTCOMES: Final = (
    *dict.fromkeys(
        (
            "INTERNAL_SERVER_ERROR",
            "SERVICE_UNAVAILABLE",
            *CODES,
            *UserErrorCode,
            *(status.name for status in HTTPStatus),
            NO_ANSWER,
        )
    ),
)
"""What a request may come to; of several, the first of these is told."""
REASONS: Final = (*dict.fromkeys((*CODES, *UserErrorCode)),)
"""Why something is refused; a fault of our own is no refusal."""
SIGN_INS: Final = ("success", "wrong", "throttled", "failed")
"""How a sign-in ends; one fails that is no better or worse than others, but befallen by a fault."""
LIMITS: Final[Mapping[str, str]] = {
    "sign-in": "sign_in_address",
    "sign-in from": "sign_in_client",
    "sign-in anywhere": "sign_in_lockout",
    "sign-in by": "sign_in_account",
    "register from": "register_client",
    "refresh from": "refresh_client",
    "refresh by": "refresh_account",
    "reset from": "reset_client",
    "reset with from": "reset_link_client",
    "letter": "letter_recipient",
    "proof": "password_proof",
    "proof from": "password_proof_client",
    "proof anywhere": "password_proof_lockout",
    "change by": "change_account",
    "taken from": "taken_client",
    "taken by": "taken_account",
    "passwords": "password_queue",
}
"""The limits that one may run into, by what the rules call them."""


def gravest(outcome: str) -> str:
    """Tell the one part of an outcome that counts."""
    parts = outcome.split()
    return next((each for each in OUTCOMES if each in parts), OTHER)
