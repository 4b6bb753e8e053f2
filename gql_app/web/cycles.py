"""One request and its answer on the wire."""

from collections.abc import Mapping
from typing import Final

from uvicorn._types import ASGISendEvent, HTTPResponseStartEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_UNUSUAL: Final = frozenset({b"connection", b"transfer-encoding"})


class Cycle(RequestResponseCycle):
    """A request whose answer goes out at once, its head with its body.

    To write is a call to the system, and wakes whoever waits for the answer: one does for both.
    """

    _held: HTTPResponseStartEvent | None = None
    """The answer's head, whose body is still to come."""
    pending = 0
    """Bytes of its body that are counted until nobody waits for more of them."""

    async def send(self, message: ASGISendEvent) -> None:
        """Take a part of the answer; what isn't written at once is for uvicorn to write."""
        if message["type"] == "http.response.start" and not self.response_started:
            self._held = message
            return
        start, self._held = self._held, None
        if start is not None and message["type"] == "http.response.body":
            whole = self._whole(start, message.get("body", b""))
            if whole and not (message.get("more_body") or self._is_hindered):
                self._answer(whole)
                return
        if start is not None:
            await super().send(start)
        await super().send(message)

    @property
    def _is_hindered(self) -> bool:
        return self.disconnected or self.flow.write_paused or self.scope["method"] == "HEAD"

    def _whole(self, start: HTTPResponseStartEvent, body: bytes) -> bytes | None:
        """Write an answer of a known length; None if there is anything unusual about it."""
        headers = [*self.default_headers, *start.get("headers", ())]
        if not _is_plain(dict(headers), len(body)):
            return None
        if not self.keep_alive:
            headers.append((b"connection", b"close"))
        lines = [b"%b: %b\r\n" % header for header in headers]
        head = b"".join([STATUS_LINE[start["status"]], *lines])
        ends = len(headers) + 1
        return head + b"\r\n" + body if head.count(b"\n") == head.count(b"\r") == ends else None

    def _answer(self, whole: bytes) -> None:
        """Send all there is to send, and be done."""
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(whole)
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


def _is_plain(told: Mapping[bytes, bytes], length: int) -> bool:
    """Tell whether an answer says how long it is, rightly, and nothing else of the connection."""
    return told.get(b"content-length") == b"%d" % length and _UNUSUAL.isdisjoint(told)
