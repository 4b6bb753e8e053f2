"""The refusals: what each carries, and that the drawing of their family is true."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from gql_app import errors
from gql_app.errors import Fault, UserErrorCode
from gql_app.lib.database import Busy, Unavailable
from gql_app.lib.database.errors import CommitOutcomeUnknown, Conflict, Full

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
UNAVAILABLE = (Busy, Conflict, Full, CommitOutcomeUnknown)
MESSAGES = [
    errors.TokenMissing().message,
    errors.TokenMalformed().message,
    errors.TokenInvalid().message,
    errors.TokenExpired(issued_at=NOON, expires_at=NOON, key_id="k").message,
    errors.TokenRevoked().message,
    errors.AdminRequired("audit:read").message,
    errors.PermissionRequired("audit:read").message,
    *(kind().message for kind in (Unavailable, *UNAVAILABLE)),
]


def family(parent: type[Exception], depth: int = 0) -> Iterator[tuple[int, str]]:
    """Walk down the classes, as the tree in the docstring does."""
    yield depth, parent.__name__
    for child in parent.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from family(child, depth + 1)


def test_docstring_draws_the_family_as_it_is() -> None:
    drawn = re.findall(r"^    ([│├└─ ]*)(\w+)", errors.__doc__ or "", re.MULTILINE)
    ours = [
        each
        for each in vars(errors).values()
        if isinstance(each, type)
        and issubclass(each, Exception)
        and each.__module__ == errors.__name__
    ]
    roots = [each for each in ours if not {*each.__bases__}.intersection(ours)]
    there_are = [pair for root in roots for pair in family(root)]
    assert [(len(branch) // 4, name) for branch, name in drawn] == there_are


@pytest.mark.parametrize(
    ("refusal", "extensions"),
    [
        (errors.TokenMissing(), {"code": "UNAUTHENTICATED", "reason": "TOKEN_MISSING"}),
        (errors.TokenMalformed(), {"code": "UNAUTHENTICATED", "reason": "TOKEN_MALFORMED"}),
        (errors.TokenInvalid(), {"code": "UNAUTHENTICATED", "reason": "TOKEN_INVALID"}),
        (
            errors.TokenExpired(issued_at=NOON, expires_at=NOON, key_id="k"),
            {
                "code": "UNAUTHENTICATED",
                "reason": "TOKEN_EXPIRED",
                "expiredAt": "2026-07-01T12:00:00Z",
            },
        ),
        (errors.TokenRevoked(), {"code": "UNAUTHENTICATED", "reason": "TOKEN_REVOKED"}),
        (
            errors.AdminRequired("audit:read"),
            {
                "code": "FORBIDDEN",
                "reason": "ADMIN_REQUIRED",
                "required": "admin",
                "permission": "audit:read",
            },
        ),
        (
            errors.PermissionRequired("sessions:end"),
            {
                "code": "FORBIDDEN",
                "reason": "PERMISSION_REQUIRED",
                "permission": "sessions:end",
            },
        ),
        (Unavailable(), {"code": "SERVICE_UNAVAILABLE", "retryAfter": 1}),
        (
            CommitOutcomeUnknown(),
            {"code": "SERVICE_UNAVAILABLE", "retryAfter": 1, "mayBeDone": True},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_refusal_carries_its_code_and_reason(
    refusal: errors.Refusal, extensions: dict[str, str | int]
) -> None:
    assert refusal.extensions == extensions
    assert str(refusal) == refusal.message


@pytest.mark.parametrize(
    "name", ["Unauthenticated", "TokenMissing", "TokenMalformed", "TokenInvalid", "TokenRevoked"]
)
def test_public_error_can_be_raised_as_it_is(name: str) -> None:
    error = getattr(errors, name)()
    assert isinstance(error, errors.Unauthenticated)
    assert error.extensions == {"code": error.code, "reason": error.reason}
    assert error.message == error.advice


def test_rejection_without_a_fault_says_what_to_raise() -> None:
    with pytest.raises(TypeError, match="raise Refused"):
        errors.Rejected()


def test_every_refusal_has_a_message_of_its_own() -> None:
    assert len(set(MESSAGES)) == len(MESSAGES)


@pytest.mark.parametrize("message", MESSAGES)
def test_message_tells_what_happened_and_what_to_do_next(message: str) -> None:
    happened, *next_steps = re.findall(r"[A-Z][^.]+\.", message)
    assert happened
    assert re.match("Sign in|Send|Try again|Look", next_steps[0])


async def test_log_is_told_what_made_the_database_unavailable() -> None:
    why = Unavailable()
    try:
        async with asyncio.timeout(0):
            await asyncio.sleep(1)
    except TimeoutError as late:
        why.__cause__ = late
    assert why.cause == "TimeoutError: "
    why.__cause__ = OSError("nobody there")
    assert why.cause == "OSError: nobody there"
    assert Unavailable().cause.startswith("Unavailable: The database")


def test_rejection_says_all_that_is_to_be_mended() -> None:
    name = Fault(UserErrorCode.REQUIRED, "Say the name.", "name")
    email = Fault(UserErrorCode.TAKEN, "The address is taken.", "email")
    rejected = errors.Rejected(name, email)
    assert rejected.faults == (name, email)
    assert str(rejected) == "Say the name. The address is taken."


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        *((1, "1 second"), (30, "30 seconds"), (119, "119 seconds")),
        *((120, "2 minutes"), (896, "15 minutes")),
    ],
)
def test_too_many_attempts_tells_how_long_to_wait(seconds: int, told: str) -> None:
    rejected = errors.TooManyAttempts(retry_after=seconds, limit="sign_in_address")
    assert rejected.retry_after == seconds
    assert [fault.code for fault in rejected.faults] == [UserErrorCode.TOO_MANY_ATTEMPTS]
    assert str(rejected).endswith(f" Try again in {told}.")
