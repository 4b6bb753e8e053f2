"""Trusted proxies: the client's address and scheme, as they report them."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gql_app.lib.network import Networks, canonical

_SCHEMES: Final = frozenset({b"http", b"https"})


class ProxyHeadersMiddleware:
    """Sets the client's address and scheme to what trusted proxies report.

    X-Forwarded-For is read from its end, for each proxy appends whom it has seen: the client is
    the last one that is no trusted proxy. Where all are trusted it is the first.
    """

    def __init__(self, app: ASGIApp, *, trusted: Networks) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and (scope.get("client") or ("",))[0] in self._trusted:
            forwarded: list[str] = []
            for name, value in scope["headers"]:
                if name == b"x-forwarded-proto" and value.strip() in _SCHEMES:
                    scope["scheme"] = value.strip().decode()
                elif name == b"x-forwarded-for":
                    forwarded += value.decode("latin-1").split(",")
            if client := self._client(forwarded):
                scope["client"] = (client, 0)
        await self._app(scope, receive, send)

    def _client(self, forwarded: list[str]) -> str:
        """Return the client's address without its port, in its one spelling; none is empty."""
        address = ""
        for each in reversed(forwarded):
            if host := _without_port(each.strip()):
                address = canonical(host)
                if address not in self._trusted:
                    break
        return address


def _without_port(text: str) -> str:
    """Return 192.0.2.1 for 192.0.2.1:80, and 2001:db8::1 for [2001:db8::1]:80."""
    if text.startswith("[") and "]" in text:
        return text[1:].partition("]")[0]
    host, colon, port = text.rpartition(":")
    return host if colon and ":" not in host and port.isdigit() else text
