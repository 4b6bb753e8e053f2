"""ASGI: its types, and the one extension that this server adds to a request's scope."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

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
