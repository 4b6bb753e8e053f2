"""The wire: bounds for what a peer sends, which uvicorn lacks, and strictness about how.

A fault is refused in the contract's form, in its turn among pipelined requests, and ends the
connection.
"""

import asyncio
from time import monotonic
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.server import ServerState

from gql_app.web.bounds import (
    LAST_CALL,
    LAST_CHANCE,
    MAX_HEADERS,
    MAX_WAITING,
    PACE,
    PAUSE,
    TICK,
    Bounds,
    Deadline,
    Usage,
)
from gql_app.web.framing import Unacceptable, check_framing, length_beside_upgrade
from gql_app.web.metering import Metered
from gql_app.web.middleware import Reception
from gql_app.web.responses import refusal

_NOTHING, _HEAD, _BODY = range(3)
"""What is arriving; no Enum, whose members take longer to look up than a call does."""


class Wire(Metered):
    """One connection, on which a peer is waited for no longer than it may take."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # uvicorn's own
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: Bounds,
        usage: Usage,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop, bounds=bounds, usage=usage)
        self._head_bytes = bounds.head_bytes
        self._seconds = bounds.seconds
        self.timeout_keep_alive = min(self.timeout_keep_alive, bounds.seconds)
        self._arriving = _NOTHING
        self._due = Deadline(self.loop, self._late)
        self._idle = Deadline(self.loop, self.timeout_keep_alive_handler)
        self._until = 0.0
        """When what is arriving has to be there, whatever its pace."""
        self._over = False
        self._paced = self._parsed = self._unparsed = self._body_bytes = 0
        self._moved = False
        """Whether a head or a request ended, or some of a body came."""
        self._aside = 0
        """Bytes of a body that are yet to come past the parser."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request, unless there are too many connections already."""
        super().connection_made(transport)
        if self._beyond > 0:
            self._refuse(503, "There are too many connections; try again")
        else:
            self._await()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._due.end()
        self._idle.end()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Finish what has arrived, and soon give up what has not.

        What its peer sent before it could know is answered, on an idle connection as well.
        """
        self._stopping = True
        self._seconds = min(LAST_CALL, self._seconds)
        self.timeout_keep_alive = min(LAST_CHANCE, self.timeout_keep_alive)
        if self._ended:
            self._drain.set(LAST_CHANCE)
        elif self._arriving != _NOTHING and not self._over:
            self._await()
        elif self.cycle is None or self.cycle.response_complete:
            self._idle.set(self.timeout_keep_alive)
        if self.cycle is not None and self._arriving != _HEAD and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def data_received(self, data: bytes) -> None:
        """Parse what has come, or refuse it."""
        if self._over or self._ended:
            self._discard(data)
            return
        self._idle.clear()
        self._moved = False
        try:
            self._parse(data)
            if not self._moved:  # the parser may keep it all
                self._unparsed += len(data)
                self._check_size(self._unparsed)
        except Unacceptable as why:
            self._refuse(why.status, why.message)
            return
        if not self._due.pending and (self._arriving != _NOTHING or not self._moved):
            self._await()

    def on_message_begin(self) -> None:
        """Begin a request's head."""
        super().on_message_begin()
        self._idle.clear()
        self._arriving = _HEAD
        self._parsed = self._unparsed = self._body_bytes = self._aside = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._parsed += len(url)
        self._check_size(self._parsed)
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those that follow a body are dropped (RFC 9110 section 6.5.1)."""
        self._parsed = parsed = self._parsed + len(name) + len(value) + 4  # ": \r\n"
        if parsed > self._head_bytes:
            self._check_size(parsed)
        if self._arriving == _HEAD:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))
            if len(self.headers) > MAX_HEADERS:
                raise Unacceptable(431, f"There are more than {MAX_HEADERS} headers")

    def on_headers_complete(self) -> None:
        """Begin a body, and with it the answer."""
        if len(self.pipeline) >= MAX_WAITING:
            raise Unacceptable(429, f"More than {MAX_WAITING} requests are waiting already")
        check_framing(self.parser.get_http_version(), self.url, self.headers)
        if self.parser.should_upgrade():
            self._aside = length_beside_upgrade(self.headers)
        super().on_headers_complete()
        if self._stopping:
            self.cycle.keep_alive = False
        self._arriving = _BODY
        self._moved = True
        self._due.clear()  # a body that doesn't come at once has as long again

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; what nobody wants any more is not read for long."""
        self._moved = True
        self._body_bytes += len(body)
        if self._body_bytes > 2 * self._bounds.body_bytes:
            raise Unacceptable(413, f"The body is larger than {self._bounds.body_bytes} bytes")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request; if it has been answered already, the next may come."""
        if self._aside:
            return
        super().on_message_complete()
        self._arriving = _NOTHING
        self._moved = True
        self._due.clear()
        if self.cycle.response_complete and not self.pipeline:
            self._idle.set(self.timeout_keep_alive)

    def on_response_complete(self) -> None:
        """Turn to the next request, read no more before the last, have the answer taken."""
        self.server_state.total_requests += 1
        if not self.flow.write_paused:
            self._taken.set(self._bounds.seconds)
        super().on_response_complete()
        if self.is_ending():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self._due.pending:  # nothing is still to come
            self._idle.set(self.timeout_keep_alive)
        if self.pipeline:
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    def _parse(self, data: bytes) -> None:
        """Parse; who asks for an upgrade gets none (RFC 9110 section 7.8).

        The parser takes what follows its head for another protocol, though a body comes first.
        """
        rest: bytes | memoryview = data
        while rest:
            if self._aside:
                body, rest = rest[: self._aside], memoryview(rest)[self._aside :]
                self._aside -= len(body)
                self.on_body(bytes(body))
                if not self._aside:
                    self.on_message_complete()
                continue
            try:
                self.parser.feed_data(rest)
            except HttpParserUpgrade as upgrade:
                rest = memoryview(rest)[upgrade.args[0] :]
            except HttpParserError as error:
                if isinstance(error.__context__, Unacceptable):
                    raise error.__context__ from None
                raise Unacceptable(400, "This is not HTTP/1.1, or not clearly so") from None
            else:
                return

    def end(self) -> None:
        """Close the connection; nothing is due on it any more."""
        self._due.clear()
        self._idle.clear()
        super().end()

    def _may_be_reset(self) -> bool:
        unread = self._arriving != _NOTHING or self.flow.read_paused or bool(self.pipeline)
        return self.cycle.response_complete and (self._over or unread) and super()._may_be_reset()

    def _await(self) -> None:
        """Have what is arriving be there in time; a body shows before that how fast it comes."""
        self._until = monotonic() + self._seconds
        self._paced = self._body_bytes
        self._due.set(min(PAUSE, self._seconds) if self._arriving == _BODY else self._seconds)

    def _check_size(self, size: int) -> None:
        if size > self._head_bytes:
            raise Unacceptable(431, f"The headers are larger than {self._head_bytes} bytes")

    def _late(self) -> None:
        """Give up what has not arrived, unless it is a body that comes fast enough."""
        left = self._until - monotonic()
        if self.flow.read_paused:  # it is we who are late
            self._await()
        elif self._arriving == _NOTHING:
            super().shutdown()
        elif left <= TICK:
            self._refuse(408, f"The request did not arrive within {self._bounds.seconds} seconds")
        elif self._body_bytes - self._paced < PACE * PAUSE:
            self._refuse(408, f"The body came more slowly than {PACE} bytes a second")
        else:
            self._paced = self._body_bytes
            self._due.set(min(PAUSE, left))

    def _refuse(self, status: int, message: str) -> None:
        """Answer this in the request's stead, when its turn comes, and nothing after it."""
        self._over = True
        self._due.clear()
        if self._arriving == _BODY and self.cycle.response_started:
            self.end()
            return
        retry = {"Retry-After": "1"} if status in {429, 503} else None
        answer = refusal(status, f"{message}.", headers=retry)
        app = cast("ASGI3Application", Reception(answer))
        in_turn = self._give_up()
        self.cycle = self._nameless_cycle()
        if in_turn:
            self._start_asgi_task(self.cycle, app)
        else:
            self.pipeline.appendleft((self.cycle, app))

    def _give_up(self) -> bool:
        """Have nobody wait for the rest of a request, and tell whether its turn has come."""
        if self._arriving != _BODY:
            return self.cycle is None or self.cycle.response_complete
        self._arriving = _NOTHING
        self._release(self.cycle)
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if self.pipeline:
            self.pipeline.popleft()
            return False
        return True
