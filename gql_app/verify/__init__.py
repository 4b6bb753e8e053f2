"""Verifying our access tokens in another service: by the published keys, and on wish alive.

    verifier = TokenVerifier("https://accounts.example.com", issuer="gql_app", audience="orders")
    token = await verifier.verify(bearer_token(request.headers.get("Authorization")))
    token.customer_id, token.session_id, token.roles, token.claims["tenant"]

It needs no database, no settings and none of the server's libraries.
"""

import asyncio
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Final

from gql_app.errors import (
    TokenExpired,
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
    TokenRevoked,
    Unauthenticated,
)
from gql_app.lib.faults import Unavailable
from gql_app.security.tokens import MAX_LIFETIME, OUR_CLAIMS, Claims, Issuer, read_token
from gql_app.verify.server import (
    NoPublishedKeys,
    PublishedKeys,
    Server,
    ServerUnreachable,
    Sessions,
)

__all__ = [
    "NoPublishedKeys",
    "ServerUnreachable",
    "TokenExpired",
    "TokenInvalid",
    "TokenMalformed",
    "TokenMissing",
    "TokenRevoked",
    "TokenVerifier",
    "Unauthenticated",
    "Unavailable",
    "VerifiedToken",
    "bearer_token",
]


@dataclass(frozen=True, slots=True)
class VerifiedToken(Claims):
    """What a genuine token says: `customer_id`, `session_id`, `issued_at`, `expires_at`, `key_id`.

    What it says of the customer besides is as of when it was issued, and may have changed since.
    """

    roles: Sequence[str]
    """The names of the customer's roles."""
    claims: Mapping[str, object]
    """What the server's features add."""


def bearer_token(authorization: str | None) -> str:
    """Return the token of an Authorization header. Raise TokenMissing or TokenMalformed."""
    match (authorization or "").split():
        case []:
            raise TokenMissing
        case [scheme, token] if scheme.lower() == "bearer":
            return token
        case _:
            raise TokenMalformed


class TokenVerifier:
    """Verifies access tokens of one server for one audience.

    One verifier serves a process, from any of its threads and event loops. It is made in the
    process that uses it, not before a fork.
    """

    def __init__(
        self,
        url: str,
        *,
        issuer: str,
        audience: str,
        liveness: float | None = None,
        fail_open: bool = False,
        timeout: float = 5.0,
        longest_life: int = MAX_LIFETIME,
    ) -> None:
        """Take the server's address, its GQL_APP_ISSUER, and this service's audience.

        With `liveness` the server is asked whether the session of a token lives, and its answer
        holds for so many seconds: a token is refused so long after its session ended at the latest.
        Without it a token is good until it expires. While the server can't be reached, whoever has
        no answer that holds is refused, or let in if `fail_open`.

        `timeout` is that of each question in seconds. `longest_life` is the life of a token that is
        accepted, in seconds, to be raised if the server's GQL_APP_ACCESS_TOKEN_TTL is more than a
        day. Raises ValueError unless the address begins with http:// or https://.
        """
        server = Server(url, timeout)
        self._issuer: Final = Issuer(issuer, audience, longest_life)
        self._keys: Final = PublishedKeys(server)
        self._sessions: Final = None if liveness is None else Sessions(server, liveness)
        self._fail_open: Final = fail_open

    async def verify(self, token: str) -> VerifiedToken:
        """Return what a token says if it is good; the event loop is never held up.

        Raise TokenMissing, TokenMalformed, TokenInvalid, TokenExpired or TokenRevoked, which are
        Unauthenticated, and ServerUnreachable or NoPublishedKeys, which are Unavailable.
        """
        steps = self._steps(token)
        try:
            while True:
                # Whoever is cancelled leaves it to others who wait for the same.
                await asyncio.wait([asyncio.wrap_future(next(steps))])
        except StopIteration as done:
            verified: VerifiedToken = done.value
            return verified

    def verify_sync(self, token: str) -> VerifiedToken:
        """Return what verify() does, and wait for it in this thread."""
        steps = self._steps(token)
        try:
            while True:
                wait([next(steps)])
        except StopIteration as done:
            verified: VerifiedToken = done.value
            return verified

    def check(self) -> None:
        """Raise ServerUnreachable or NoPublishedKeys if no token could be verified now.

        It fetches the keys and waits for them: call it as the service starts.
        """
        wait([self._keys.fetch()])
        self._keys.require()

    def _steps(self, token: str) -> Generator[Future[None], None, VerifiedToken]:
        """Yield what is to be waited for, and return what the token says."""
        if not token:
            raise TokenMissing
        if self._keys.are_due():
            yield self._keys.fetch(self._keys.are_due)
        self._keys.require()
        try:
            verified = self._read(token)
        except TokenInvalid:
            if not self._keys.may_lack_key_of(token):
                raise
            yield self._keys.fetch(lambda: self._keys.may_lack_key_of(token))
            verified = self._read(token)
        if self._sessions:
            lives = yield from self._sessions.judge(verified.session_id, token)
            if lives is False:
                raise TokenRevoked
            if lives is None and not self._fail_open:
                raise ServerUnreachable
        return verified

    def _read(self, token: str) -> VerifiedToken:
        """Return what a token says. Raise Unauthenticated."""
        claims, payload = read_token(self._keys, self._issuer, token)
        roles = payload.get("roles")
        named = [role for role in roles if isinstance(role, str)] if isinstance(roles, list) else ()
        return VerifiedToken(
            customer_id=claims.customer_id,
            session_id=claims.session_id,
            issued_at=claims.issued_at,
            expires_at=claims.expires_at,
            key_id=claims.key_id,
            roles=tuple(named),
            claims={name: value for name, value in payload.items() if name not in OUR_CLAIMS},
        )
