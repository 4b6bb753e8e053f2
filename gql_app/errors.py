"""The errors of this program.

    Refusal                 a field is refused: a GraphQL error with extensions
    ├── Unauthenticated     UNAUTHENTICATED, with a reason
    │   ├── TokenMissing
    │   ├── TokenMalformed
    │   ├── TokenInvalid
    │   ├── TokenExpired
    │   └── TokenRevoked
    ├── PermissionRequired  FORBIDDEN, with the permission
    │   └── AdminRequired   for fields that were for admins only before permissions existed
    ├── EnrolmentRequired   FORBIDDEN until a second factor is set up
    └── ReauthenticationRequired  FORBIDDEN, with the methods of a new proof of identity
    KeysGone                no key can sign tokens: Unavailable
    Rejected                a mutation is refused: the `errors` of its payload
    ├── Refused             by a feature's own rule, with a code of its own
    └── TooManyAttempts     with the seconds to wait
    Undeclared              a name that no feature has declared
    └── UndeclaredCode      a feature refused with such a code

Unavailable, from lib.faults, is SERVICE_UNAVAILABLE with the seconds to wait. Unavailable, Refusal
and Rejected have an `extensions` dictionary, which graphql-core copies into the GraphQL error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from gql_app.lib.clock import rfc3339
from gql_app.lib.faults import Unavailable


class TokenReason(StrEnum):
    """Why a token is refused."""

    TOKEN_MISSING = "TOKEN_MISSING"
    TOKEN_MALFORMED = "TOKEN_MALFORMED"
    TOKEN_INVALID = "TOKEN_INVALID"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    TOKEN_REVOKED = "TOKEN_REVOKED"


class UserErrorCode(StrEnum):
    """Why a mutation is refused: faults that the caller can correct."""

    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"
    WRONG_PASSWORD = "WRONG_PASSWORD"
    WEAK_PASSWORD = "WEAK_PASSWORD"
    INVALID = "INVALID"
    REQUIRED = "REQUIRED"
    TOO_LONG = "TOO_LONG"
    TAKEN = "TAKEN"
    NOT_FOUND = "NOT_FOUND"
    REGISTRATION_CLOSED = "REGISTRATION_CLOSED"
    LAST_ADMIN = "LAST_ADMIN"
    TOKEN_INVALID = "TOKEN_INVALID"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    TOKEN_REVOKED = "TOKEN_REVOKED"
    TOKEN_REUSED = "TOKEN_REUSED"
    MAIL_NOT_SET_UP = "MAIL_NOT_SET_UP"
    EMAIL_NOT_VERIFIED = "EMAIL_NOT_VERIFIED"
    NOT_ENABLED = "NOT_ENABLED"
    SECOND_FACTOR_REQUIRED = "SECOND_FACTOR_REQUIRED"
    INVALID_CODE = "INVALID_CODE"
    INVALID_PASSKEY = "INVALID_PASSKEY"


class Refusal(Exception):
    """The refusal of one field; the others of its operation are answered."""

    code: ClassVar[str]

    def __init__(self, message: str, **details: str | Sequence[str]) -> None:
        super().__init__(message)
        self.message: Final = message
        self.extensions: Final[dict[str, str | Sequence[str]]] = {"code": self.code, **details}


class Unauthenticated(Refusal):
    """The caller is not signed in; `reason` says why, as a subclass has it."""

    code = "UNAUTHENTICATED"
    reason: ClassVar[TokenReason] = TokenReason.TOKEN_MISSING
    advice: ClassVar[str] = (
        "You are not signed in. Sign in with the login mutation and send its token "
        "as Authorization: Bearer TOKEN."
    )

    def __init__(self, **details: str) -> None:
        super().__init__(self.advice, reason=self.reason, **details)


class TokenMissing(Unauthenticated):
    """There is no Authorization header, or an empty one (RFC 6750 section 3.1)."""


class TokenMalformed(Unauthenticated):
    """The header is not `Bearer` and one JWT in compact form (RFC 7515 section 3.1)."""

    reason = TokenReason.TOKEN_MALFORMED
    advice = (
        "The Authorization header does not hold one well-formed token. Send exactly "
        "what login answered, as Authorization: Bearer TOKEN."
    )


class TokenInvalid(Unauthenticated):
    """The token was not issued for this service, or was changed since."""

    reason = TokenReason.TOKEN_INVALID
    advice = (
        "The token was not issued for this service, or was changed on its way. Sign in "
        "again for this service to get a new one."
    )


class TokenExpired(Unauthenticated):
    """The token is genuine but past its `exp` (RFC 7519 section 4.1.4)."""

    reason = TokenReason.TOKEN_EXPIRED
    advice = "The token has expired. Sign in again to get a new one."

    def __init__(self, *, issued_at: datetime, expires_at: datetime, key_id: str) -> None:
        super().__init__(expiredAt=rfc3339(expires_at))
        self.issued_at: Final = issued_at
        self.expires_at: Final = expires_at
        self.key_id: Final = key_id


class TokenRevoked(Unauthenticated):
    """The token's session has ended, or its customer is gone or deactivated."""

    reason = TokenReason.TOKEN_REVOKED
    advice = (
        "The session of this token has ended, or its account is closed. Sign in again "
        "to start a new session."
    )


class PermissionRequired(Refusal):
    """The caller is signed in, but lacks a permission."""

    code = "FORBIDDEN"
    reason: ClassVar[str] = "PERMISSION_REQUIRED"
    advice: ClassVar[str] = (
        "{what} takes a permission that you don't have. Sign in as somebody who has it, or ask an "
        "admin for it."
    )

    def __init__(self, permission: str, what: str = "This", **details: str) -> None:
        message = self.advice.format(what=what)
        super().__init__(message, reason=self.reason, permission=permission, **details)


class AdminRequired(PermissionRequired):
    """The caller lacks a permission for a field that, as clients know it, is for admins."""

    reason = "ADMIN_REQUIRED"
    advice = "{what} is for admins only. Sign in as an admin, or ask one to do it."

    def __init__(self, permission: str, what: str = "This") -> None:
        super().__init__(permission, what, required="admin")


class EnrolmentRequired(Refusal):
    """The caller is signed in, but has to set up a second factor first."""

    code = "FORBIDDEN"

    def __init__(self) -> None:
        message = "Your account needs a second factor. Set up an app for codes, or a passkey."
        super().__init__(message, reason="SECOND_FACTOR_ENROLMENT_REQUIRED")


class ReauthenticationRequired(Refusal):
    """The caller is signed in, but the last proof of their identity is too old.

    It is not a 401, at which clients refresh their token: a refresh proves no identity.
    """

    code = "FORBIDDEN"

    def __init__(self, methods: Sequence[str]) -> None:
        message = "Prove again that it is you, by the reauthenticate mutation, and try once more."
        if methods == ["SIGN_IN"]:
            message = "Sign in again to do this: nothing else proves that it is you."
        super().__init__(message, reason="REAUTHENTICATION_REQUIRED", methods=methods)


class KeysGone(Unavailable):
    """No key is left to sign tokens with, which only the operator can repair."""

    advice = "The server can issue no token at this moment. Try again later."
    wait = 10
    event = "No key is left to sign tokens: run keys new, then keys promote"


@dataclass(frozen=True, slots=True)
class Fault:
    """One error that the caller can correct: its code, its message and the field."""

    code: str
    """A UserErrorCode, or a feature's own."""
    message: str
    field: str | None = None


class Rejected(Exception):
    """A mutation that is refused, and changes nothing, with the faults to correct first.

    A field without a payload is null then, with a GraphQL error that has the first fault's code.
    """

    def __init__(self, *faults: Fault) -> None:
        """Take the faults. Raises TypeError without any: a feature raises Refused."""
        if not faults:
            message = "Rejected has no fault: raise Refused(code, message)"
            raise TypeError(message)
        super().__init__(" ".join(fault.message for fault in faults))
        self.faults: Final = faults
        self.extensions: Final[dict[str, str | int]] = {"code": str(faults[0].code)}

    @property
    def codes(self) -> frozenset[str]:
        """The codes of the faults."""
        return frozenset(fault.code for fault in self.faults)


class Refused(Rejected):
    """The refusal of a feature's own rule, with a message for the user.

    The code is one of UserErrorCode, or of the feature's `error_codes`: any other is answered as
    a server error, and logged. `field` is the Python name of the argument or the input field to
    correct. A mutation with a payload answers it among the payload's errors; any other field has a
    GraphQL error with the code as `extensions.code`. A transaction that raises it is rolled back.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(Fault(code, message, field))
        self.code: Final = code
        self.message: Final = message
        self.field: Final = field


class Undeclared(LookupError):
    """A name that no feature has declared: an action, a letter, or settings."""


class UndeclaredCode(Undeclared):
    """A code that no feature has declared, so that the schema doesn't know it."""

    def __init__(self, code: str) -> None:
        super().__init__(f"{code} is no code of this schema: name it in Feature.error_codes.")


class TooManyAttempts(Rejected):
    """A mutation that a rate limit refuses; it may be tried again after `retry_after` seconds."""

    def __init__(self, *, retry_after: int, limit: str, advice: str | None = None) -> None:
        long = retry_after >= 2 * 60
        number, unit = (-(-retry_after // 60), "minute") if long else (retry_after, "second")
        wait = f"{number} {unit}" if number == 1 else f"{number} {unit}s"
        usual = f"There were too many attempts. Try again in {wait}."
        super().__init__(Fault(UserErrorCode.TOO_MANY_ATTEMPTS, advice or usual))
        self.extensions["retryAfter"] = retry_after
        self.retry_after: Final = retry_after
        self.limit: Final = limit
        """The limit, by its label of the metrics."""
