"""Verification of our access tokens in other services, by published keys and live sessions.

    verifier = TokenVerifier("https://accounts.example.com", issuer="gql_app", audience="orders")
    token = await verifier.verify(bearer_token(request.headers.get("Authorization")))
    token.customer_id, token.session_id, token.roles, token.claims["tenant"]

It needs no database, no settings, and of the server's libraries only PyJWT and cryptography.
"""

import asyncio
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import timedelta
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
    UnknownKey,
    Verdict,
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

DATE_LAG: Final = timedelta(seconds=2)
"""The time by which an answer's Date may be late: servers renew it about once a second."""
LONGEST_TIMEOUT: Final = 86_400.0
"""The most seconds that a request may last; sockets take no more than some weeks."""


@dataclass(frozen=True, slots=True)
class VerifiedToken(Claims):
    """A verified token: `customer_id`, `session_id`, `issued_at`, `expires_at`, `key_id`.

    Its roles and claims are as of the time of issue, and may have changed since.
    """

    roles: Sequence[str]
    """The names of the customer's roles."""
    claims: Mapping[str, object]
    """All other claims: `auth_time`, `amr` and `acr` of the sign-in, and those of features."""


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
    """A verifier of access tokens of one server for one audience.

    One verifier serves a process, from any of its threads and event loops. Make it in the process
    that uses it, not before a fork.
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

        With `liveness` the verifier asks the server whether a token's session is open, and caches
        the answer for so many seconds: that is the longest that a token is accepted after the end
        of its session. Without it a token is valid until it expires. While the server can't be
        reached, a token without a cached answer is refused, or accepted if `fail_open`.

        `timeout` is that of a connection to the server and its whole answer, in seconds.
        `longest_life` is the longest lifetime of an accepted token, in seconds; raise it if the
        server's GQL_APP_ACCESS_TOKEN_TTL is above a day. Raises ValueError unless the address
        begins with http:// or https:// and has no query, `timeout` is above 0 and at most a day,
        `liveness` is not negative, and `longest_life` is above 0.
        """
        if not 0 < timeout <= LONGEST_TIMEOUT:
            message = f"The timeout must be above 0 and at most {LONGEST_TIMEOUT:.0f}: {timeout}"
            raise ValueError(message)
        if liveness is not None and not liveness >= 0:
            message = f"The liveness must be 0 or above: {liveness}"
            raise ValueError(message)
        if not longest_life > 0:
            message = f"The longest_life must be above 0: {longest_life}"
            raise ValueError(message)
        server = Server(url, timeout)
        self._issuer: Final = Issuer(issuer, audience, 0, longest_life)
        self._keys: Final = PublishedKeys(server)
        self._sessions: Final = None if liveness is None else Sessions(server, liveness)
        self._fail_open: Final = fail_open

    async def verify(self, token: str) -> VerifiedToken:
        """Return the contents of a valid token, without blocking the event loop.

        Raise TokenMissing, TokenMalformed, TokenInvalid, TokenExpired or TokenRevoked, which are
        Unauthenticated, and ServerUnreachable or NoPublishedKeys, which are Unavailable.
        """
        steps = self._steps(token)
        try:
            while True:
                # wait() doesn't cancel the future with this task: other callers may share it.
                await asyncio.wait([asyncio.wrap_future(next(steps))])
        except StopIteration as done:
            verified: VerifiedToken = done.value
            return verified

    def verify_sync(self, token: str) -> VerifiedToken:
        """Return the same as verify(), and block this thread meanwhile."""
        steps = self._steps(token)
        try:
            while True:
                wait([next(steps)])
        except StopIteration as done:
            verified: VerifiedToken = done.value
            return verified

    def check(self) -> None:
        """Fetch the keys; raise ServerUnreachable or NoPublishedKeys if no token can be verified.

        It blocks until they are there: call it when the service starts.
        """
        wait([self._keys.fetch()])
        self._keys.require()

    def _steps(self, token: str) -> Generator[Future[None], None, VerifiedToken]:
        """Yield the futures to wait for, and return the contents of the token."""
        if not token:
            raise TokenMissing
        seen = self._keys.requests
        if self._keys.are_due():
            kept, fetching = self._keys.are_kept(), self._keys.fetch(self._keys.are_due)
            if not kept:
                yield fetching
        self._keys.require()
        try:
            verified = self._read(token)
        except UnknownKey:
            yield from self._keys.seek(token, seen)
            verified = self._read(token)
        if self._sessions:
            verdict = yield from self._sessions.judge(verified.session_id, token)
            if verdict is None and not self._fail_open:
                raise ServerUnreachable
            if verdict and not verdict.is_active:
                yield from self._refuse(verified, verdict)
        return verified

    def _refuse(self, token: Claims, verdict: Verdict) -> Generator[Future[None], None, None]:
        """Raise the Unauthenticated that says why a genuine token is inactive."""
        if token.expires_at - verdict.at <= DATE_LAG:
            raise TokenExpired(
                issued_at=token.issued_at, expires_at=token.expires_at, key_id=token.key_id
            )
        yield self._keys.renew(verdict.asked_at)
        raise TokenRevoked if self._keys.has(token.key_id) else TokenInvalid

    def _read(self, token: str) -> VerifiedToken:
        """Return the contents of a token, by the keys at hand. Raise Unauthenticated."""
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
