"""Answers compressed by gzip, for clients that take it and where it pays."""

from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final

from isal import isal_zlib
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MINIMUM_SIZE", "CompressionMiddleware", "accepts"]

MINIMUM_SIZE: Final = 1024
"""Bytes from which an answer is compressed: below, it fits into one packet as it is."""
_LEVEL: Final = 2
_GZIP: Final = 16 + isal_zlib.MAX_WBITS
"""Deflate with a header and a trailer (RFC 1952)."""
_FINAL: Final = frozenset({b"content-encoding", b"content-range", b"etag"})
"""Headers of an answer that is meant byte by byte."""


class CompressionMiddleware:
    """Compresses answers that are sent in one piece, if they are of a kind to be compressed.

    What has a content encoding already, is a part of something or has an ETag stays as it is.
    """

    def __init__(
        self, app: ASGIApp, *, applies: Callable[[Scope], bool], minimum: int = MINIMUM_SIZE
    ) -> None:
        """Take what tells, when an answer is sent, whether it may be compressed."""
        self._app = app
        self._applies = applies
        self._minimum = minimum

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A head waits for its body, by which it is decided."""
        head: Message | None = None

        async def send_compressed(message: Message) -> None:
            nonlocal head
            if message["type"] == "http.response.start":
                head = message
                return
            if head is not None:
                started, head = head, None
                if len(message.get("body", b"")) >= self._minimum and self._applies(scope):
                    _compress(scope, started, message)
                await send(started)
            await send(message)

        await self._app(scope, receive, send_compressed if scope["type"] == "http" else send)


def _compress(scope: Scope, head: Message, body: MutableMapping[str, Any]) -> None:
    """Compress a body where its client takes that, and say so in its head."""
    headers = [each for each in head.get("headers", ()) if each[0] != b"content-length"]
    if body.get("more_body") or any(name in _FINAL for name, _ in headers):
        return
    headers.append((b"vary", b"Accept-Encoding"))
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
    if accepts("gzip", accepted.decode("latin-1")):
        body["body"] = isal_zlib.compress(body["body"], _LEVEL, _GZIP)
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", b"%d" % len(body["body"])))
    head["headers"] = headers


@lru_cache(64)
def accepts(coding: str, accepted: str) -> bool:
    """Return whether a client takes a content coding, and likes it no less than none.

    That is what its Accept-Encoding says (RFC 9110 section 12.5.3); one that sends none is taken
    for a simple one, though it would have to take anything.
    """
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        weights[name.strip()] = _weight(parameter)
    weight = weights.get(coding, weights.get("*", 0.0))
    return weight > 0 and weight >= weights.get("identity", 0.0)


def _weight(parameter: str) -> float:
    """Return the weight of a parameter, 1 if there is none, and 0 if it is no weight."""
    key, _, value = parameter.partition("=")
    if not key.strip():
        return 1.0
    try:
        return float(value) if key.strip() == "q" else 0.0
    except ValueError:
        return 0.0
