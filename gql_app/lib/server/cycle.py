"""A request and its response, as the application sees them through ASGI."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Scope

from gql_app.lib.server.connection import LINGER_BYTES, Connection

_log: Final = logging.getLogger(__name__)
_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
_CONTROLS: Final = bytes([*range(9), *range(10, 32), 127])
"""The control characters but the tab: a header may contain none of them."""
_PAUSE_BYTES: Final = 64 * 1024
"""Bytes of a body that are buffered for the application before reading pauses."""
_FAILED: Final = PlainTextResponse("Internal Server Error", 500, {"connection": "close"})

_NO_START: Final = "The body comes before the head"
_WRONG_LENGTH: Final = "The body is longer or shorter than its content-length"
_CONTROL_IN_HEADER: Final = "A header contains a control character"
_DISCONNECT: Final = "gql_app.disconnect"
"""The key of the extension in scope["extensions"]."""


@dataclass(slots=True)
class Disconnect:
    """What happens to a request whose client closes the connection: by default it is cancelled."""

    is_shielded: bool = False
    """Whether the application finishes the request nevertheless."""
    is_cancelled: bool = False
    """Whether the server has cancelled the application: nobody waits for its answer."""
    is_refused: bool = False
    """Whether the server refuses the rest of the request, and cancels the application for that."""

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Return a request's extension; on another server, one without effect."""
        extension = scope.get("extensions", {}).get(_DISCONNECT)
        return extension if isinstance(extension, cls) else cls()

    def shield(self) -> None:
        """Keep the request from being cancelled when its client is gone."""
        self.is_shielded = True


class RequestCycle:
    """One request and its response, whose head is written together with its body."""

    def __init__(
        self,
        connection: Connection,
        app: ASGIApp,
        scope: Scope,
        default_headers: Sequence[tuple[bytes, bytes]],
        on_complete: Callable[["RequestCycle"], None],
        *,
        keep_alive: bool,
    ) -> None:
        self.keep_alive = keep_alive
        self.more_body = True
        """Whether some of the request's body is still to come."""
        self.pending_bytes = 0
        """Bytes of it that its connection counts as pending."""
        self.response_started = self.response_complete = False
        self._connection: Final = connection
        self._app: Final = app
        self.scope: Final = scope
        self._default_headers: Final = default_headers
        self._on_complete: Final = on_complete
        self._disconnect: Final = Disconnect()
        scope["extensions"] = {_DISCONNECT: self._disconnect}
        self._task: asyncio.Task[None] | None = None
        self._is_disconnected = self._has_continued = False
        self._body = bytearray()
        self._news: Final = asyncio.Event()
        """Set when there is something to receive."""
        self._start: Message | None = None
        """The head of the response, until it is written."""
        self._has_body = self._is_chunked = False
        """Whether the response has a body, and whether that is sent in chunks."""
        self.ends_with_connection = False
        """Whether the end of the connection is that of the body, as there are no chunks in 1.0."""
        self._bytes_left = 0
        """Bytes of the response's body that its content-length announces."""

    def start(self, tasks: set[asyncio.Task[None]]) -> None:
        """Start the application on the request, in a task that is among these until it is done."""
        self._task = asyncio.create_task(self._run())
        tasks.add(self._task)
        self._task.add_done_callback(tasks.discard)

    def feed(self, data: bytes = b"", *, more_body: bool) -> None:
        """Buffer a piece of the body for the application."""
        self.more_body = more_body
        self._body += data
        if len(self._body) > _PAUSE_BYTES:
            self._connection.transport.pause_reading()
        self._news.set()

    def disconnect(self) -> None:
        """Discard what the application still sends; its next receive() returns http.disconnect."""
        self._is_disconnected = True
        self._news.set()

    def cancel(self) -> None:
        """Disconnect, and cancel the application unless it is shielded."""
        self.disconnect()
        if self._task is not None and not self._disconnect.is_shielded:
            self._disconnect.is_cancelled = True
            self._task.cancel()

    def refuse(self) -> None:
        """Cancel the application as the server refuses the request, with an answer of its own."""
        self._disconnect.is_refused = True
        self.cancel()

    async def receive(self) -> Message:
        """Return a piece of the body; http.disconnect if the client is gone or has its response."""
        if self.more_body and not self._has_continued:
            self._has_continued = True
            if self._expects_continue():
                self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._is_over:
            self._connection.transport.resume_reading()
            await self._news.wait()
            self._news.clear()
        if self._is_over:
            return {"type": "http.disconnect"}
        body, self._body = bytes(self._body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """Write a part of the response; the head waits for its body, and may be replaced before.

        Raise RuntimeError for a message that ASGI or HTTP does not allow.
        """
        kind = message["type"]
        if kind == "http.response.start" and not self.response_started:
            self._start = message
            return
        if kind != "http.response.body" or self.response_complete:
            raise RuntimeError(kind)
        await self._connection.writable.wait()
        if self._is_disconnected:
            return
        head = b"" if self.response_started else self._begin()
        more_body = message.get("more_body", False)
        body = self._frame(message.get("body", b""), more_body=more_body)
        self._connection.transport.write(head + body)
        if self._bytes_left < 0 or (self._bytes_left and not more_body):
            raise RuntimeError(_WRONG_LENGTH)
        if not more_body:
            self.response_complete = True
            self._news.set()
            self._body.clear()
            self._on_complete(self)

    @property
    def _is_over(self) -> bool:
        return self._is_disconnected or self.response_complete

    @property
    def _can_discard_rest(self) -> bool:
        """Whether the body is known to be short enough, so that another request may follow it."""
        lengths = (value for name, value in self.scope["headers"] if name == b"content-length")
        return int(next(lengths, LINGER_BYTES + 1)) <= LINGER_BYTES

    def _expects_continue(self) -> bool:
        """Return whether the client waits for 100 Continue (RFC 9110 section 10.1.1)."""
        expected = (b"expect", b"100-continue")
        headers: Sequence[tuple[bytes, bytes]] = self.scope["headers"]
        if self.scope["http_version"] == "1.0" or self._connection.is_closing:
            return False
        return not (self._body or self._is_over) and any(
            (name, value.lower()) == expected for name, value in headers
        )

    async def _run(self) -> None:
        """Run the application, and end a response that it leaves incomplete."""
        try:
            await self._app(self.scope, self.receive, self.send)
        except (Exception, asyncio.CancelledError) as why:  # noqa: BLE001 — the client gets an answer
            if not self._disconnect.is_cancelled:
                _log.error("Exception in ASGI application", exc_info=why)
        else:
            if not self._is_over:
                _log.error("ASGI application returned without a complete response")
        if self._is_over:
            return
        if self.ends_with_connection:
            self._connection.reset()
        elif self.response_started:
            self._connection.close()
        else:
            await _FAILED(self.scope, self.receive, self.send)

    def _begin(self) -> bytes:
        """Return the response's head, and mark it as started. Raise RuntimeError."""
        if self._start is None:
            raise RuntimeError(_NO_START)
        status: int = self._start["status"]
        headers = [*self._default_headers, *self._start.get("headers", ())]
        by_name = dict(headers)
        length = by_name.get(b"content-length")
        closes = by_name.get(b"connection", b"").lower() == b"close"
        if closes or (self.more_body and not self._can_discard_rest):
            self.keep_alive = False
        if not (self.keep_alive or closes):
            headers.append((b"connection", b"close"))
        self._has_body = self.scope["method"] != "HEAD" and status not in {204, 304}
        if length is None and self._has_body and self.scope["http_version"] == "1.1":
            self._is_chunked = True
            headers.append((b"transfer-encoding", b"chunked"))
        lines = b"".join([b"%b: %b\r\n" % (name, value) for name, value in headers])
        if len(lines) - len(lines.translate(None, _CONTROLS)) != 2 * len(headers):
            raise RuntimeError(_CONTROL_IN_HEADER)
        self.response_started = True
        self.ends_with_connection = length is None and self._has_body and not self._is_chunked
        if length is not None and self._has_body:
            self._bytes_left = int(length)
        line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
        return line + lines + b"\r\n"

    def _frame(self, body: bytes, *, more_body: bool) -> bytes:
        """Return a piece of the body, framed if chunked; nothing beyond its content-length."""
        if not self._has_body:
            return b""
        if self.ends_with_connection:
            return body
        if self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk if more_body else chunk + b"0\r\n\r\n"
        self._bytes_left -= len(body)
        return body if self._bytes_left >= 0 else b""
