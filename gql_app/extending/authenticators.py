"""Authenticators: they identify callers by other credentials than our access tokens."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias
from uuid import UUID

from gql_app.errors import Unauthenticated
from gql_app.extending.functions import function_name
from gql_app.lib.database import Reader
from gql_app.lib.faults import CancellationsAsFaults, DependencyFailed
from gql_app.lib.telemetry import get_logger
from gql_app.security.tokens import MAX_TOKEN_BYTES, Identity

Authenticator: TypeAlias = Callable[[Reader, str, str], Awaitable[Identity | None]]
"""Returns the identity that credentials stand for, given the database, the scheme of the
Authorization header in lower case ("bearer", "apikey") and the credentials after it.

Its session has a row of its own, so that the credentials are refused once that is ended. It returns
None for credentials that are not of its kind, and raises Unauthenticated for those of its kind that
are not valid: TokenInvalid, TokenExpired or TokenRevoked.
"""
AUTHENTICATION_TIMEOUT: Final = 5
"""Seconds after which an authenticator is cancelled."""
_log: Final = get_logger(__name__)


async def identify(
    authenticators: Sequence[Authenticator],
    db: Reader,
    authorization: Sequence[bytes],
    refused: Unauthenticated,
) -> Identity | Exception:
    """Return the result of the first authenticator that recognises the credentials.

    That may be its error, which is raised by fields that need a caller. If none recognises the
    credentials, it is `refused`.
    """
    scheme, _, credentials = authorization[0].decode("latin-1").strip().partition(" ")
    if len(authorization) > 1 or len(credentials) > MAX_TOKEN_BYTES:
        return refused
    for authenticate in authenticators:
        try:
            with CancellationsAsFaults():
                async with asyncio.timeout(AUTHENTICATION_TIMEOUT):
                    identity = await authenticate(db, scheme.lower(), credentials.strip())
        except Unauthenticated as why:
            return why
        except TimeoutError:
            _log.warning("An authenticator took too long")
            return DependencyFailed()
        except Exception as why:  # noqa: BLE001 — requests without protected fields still work
            return why
        if identity is not None:
            return _checked(identity, authenticate)
    return refused


def _checked(identity: object, authenticate: Authenticator) -> Identity | TypeError:
    """Return an authenticator's identity, or the error that it is none, which names no value."""
    if isinstance(identity, Identity):
        ids: tuple[object, object] = (identity.customer_id, identity.session_id)
        if all(isinstance(each, UUID) for each in ids):
            return identity
    return TypeError(
        f"The authenticator {function_name(authenticate)} returned a value of type "
        f"{type(identity).__name__}, neither None nor an Identity of two UUIDs"
    )
