"""ASGI: its types, and the one extension that this server adds to a request's scope."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

NO_REQUEST: Final[Mapping[str, Any]] = {
    "method": "",
    "http_version": "1.1",
    "path": "",
    "raw_path": b"",
    "query_string": b"",
    "headers": (),
}
"""A scope's part of what never became a request."""
DISCONNECT: Final = "gql_app.disconnect"
"""The key of the extension in scope["extensions"]."""


@dataclass(slots=True)
class Disconnect:
    """What happens to a request whose client closes the connection: by default it is cancelled."""

    is_shielded: bool = False
    """Whether the application finishes the request all the same."""
    is_cancelled: bool = False
    """Whether the server has cancelled the application, because the client is gone."""

    @classmethod
    def of(cls, scope: Scope) -> "Disconnect":
        """Return a request's extension; on another server, one that nobody looks at."""
        found = scope.get("extensions", {}).get(DISCONNECT)
        return found if isinstance(found, cls) else cls()

    def shield(self) -> None:
        """Keep the request from being cancelled when its client is gone."""
        self.is_shielded = True


def http_scope(
    request: Mapping[str, Any],
    state: Mapping[str, Any],
    client: tuple[str, int],
    server: tuple[str, int],
) -> Scope:
    """Return the scope of a request; an end without an address, as of a pipe, has none in it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "scheme": "http",
        "root_path": "",
        "state": dict(state),
        "client": client if client[0] else None,
        "server": server if server[0] else None,
        **request,
    }
