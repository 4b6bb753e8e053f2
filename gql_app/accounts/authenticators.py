"""Authenticators: what proves by other credentials than our access tokens who is calling."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from gql_app.errors import Unauthenticated
from gql_app.lib.database import Reader
from gql_app.lib.faults import DependencyFailed
from gql_app.lib.telemetry import get_logger
from gql_app.security.tokens import MAX_TOKEN_BYTES, Identity

Authenticator: TypeAlias = Callable[[Reader, str, str], Awaitable[Identity | None]]
"""Returns whose session some credentials stand for, given the database, the scheme of the
Authorization header in small letters ("bearer", "apikey") and the credentials after it.

The session is a row of its own, so that ending it refuses the credentials at the next request. It
returns None for credentials that are not of its kind, and raises Unauthenticated for those that
are, and no good: TokenInvalid, TokenExpired or TokenRevoked.
"""
AUTHENTICATION_TIMEOUT: Final = 5
"""Seconds after which an authenticator is waited for no longer."""
_log: Final = get_logger(__name__)


async def identify(
    authenticators: Sequence[Authenticator],
    db: Reader,
    authorization: Sequence[bytes],
    refused: Unauthenticated,
) -> Identity | Exception:
    """Return what the first authenticator says that knows these credentials.

    That may be the error of one, which a field that wants to know who is calling raises; where
    nobody knows them, it is the refusal of before.
    """
    scheme, _, credentials = authorization[0].decode("latin-1").strip().partition(" ")
    if len(authorization) > 1 or len(credentials) > MAX_TOKEN_BYTES:
        return refused
    for authenticate in authenticators:
        try:
            async with asyncio.timeout(AUTHENTICATION_TIMEOUT):
                identity = await authenticate(db, scheme.lower(), credentials.strip())
        except Unauthenticated as why:
            return why
        except TimeoutError:
            _log.warning("An authenticator took too long")
            return DependencyFailed()
        except Exception as why:  # noqa: BLE001 — whoever asks no protected field is answered
            return why
        if identity is not None:
            return identity
    return refused
