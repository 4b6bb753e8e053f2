"""Trusted proxies: the client's address and scheme, as they report them."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from gql_app.lib.network import LONGEST, Networks, canonical
from gql_app.lib.server.asgi import ASGIApp, Receive, Scope, Send

_SCHEMES: Final = frozenset({b"http", b"https"})
_CACHED_ADDRESSES: Final = 1024


class ProxyHeadersMiddleware:
    """Sets the client's address and scheme to what trusted proxies report.

    X-Forwarded-For is read from its end, for each proxy appends whom it has seen: the client is
    the last one that is no trusted proxy. Where all are trusted it is the first.
    """

    def __init__(self, app: ASGIApp, *, trusted: Networks) -> None:
        self._app = app
        self._is_all = trusted.is_all
        self._is_listed = lru_cache(_CACHED_ADDRESSES)(trusted.__contains__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and self._is_proxy(scope.get("client")):
            for name, value in scope["headers"]:
                if name == b"x-forwarded-proto" and value.strip() in _SCHEMES:
                    scope["scheme"] = value.strip().decode()
            if client := self._client(_forwarded(scope)):
                scope["client"] = (client, 0)
        await self._app(scope, receive, send)

    def _is_proxy(self, peer: tuple[str, int] | None) -> bool:
        return self._trusts(canonical(peer[0])) if peer else self._is_all

    def _trusts(self, address: str) -> bool:
        return self._is_all or (len(address) <= LONGEST and self._is_listed(address))

    def _client(self, forwarded: Iterator[str]) -> str | None:
        """Return the address of the client, the last of those given being the nearest."""
        addresses = list(forwarded)
        others = [each for each in addresses if not self._trusts(each)]
        nearest = others[-1:] or addresses[:1]
        return nearest[0] if nearest else None


def _forwarded(scope: Scope) -> Iterator[str]:
    """Return the addresses of X-Forwarded-For without their ports, each in its one spelling."""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            for each in value.decode("latin-1").split(","):
                if address := _without_port(each.strip()):
                    yield canonical(address)


def _without_port(text: str) -> str:
    """Return 192.0.2.1 for 192.0.2.1:80, and 2001:db8::1 for [2001:db8::1]:80."""
    if text.startswith("[") and "]" in text:
        return text[1:].partition("]")[0]
    host, colon, port = text.rpartition(":")
    return host if colon and ":" not in host and port.isdigit() else text
