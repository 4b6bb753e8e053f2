"""Validation of the Host header: a server answers for its own names alone."""

import re
from collections.abc import Collection
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["TrustedHostMiddleware"]

_PORT: Final = re.compile(r":[0-9]*$")


class TrustedHostMiddleware:
    """Refuses requests for any other host, so that none gets into a link or a cache."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        refused: ASGIApp,
        exempt: Collection[str] = (),
    ) -> None:
        """Take the hosts, the application that answers for others, and paths open to all hosts.

        `*.example.com` stands for every name below example.com.
        """
        self._app = app
        self._names = frozenset(host for host in hosts if not host.startswith("*"))
        self._endings = tuple(host[1:] for host in hosts if host.startswith("*"))
        self._refused = refused
        self._exempt = frozenset(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request by its Host header, whatever the port in it is."""
        is_taken = scope["type"] != "http" or scope["path"] in self._exempt
        app = self._app if is_taken or self._is_trusted(scope) else self._refused
        await app(scope, receive, send)

    def _is_trusted(self, scope: Scope) -> bool:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        name = _PORT.sub("", hosts[0].decode("latin-1").lower()) if len(hosts) == 1 else ""
        return name in self._names or name.endswith(self._endings)
