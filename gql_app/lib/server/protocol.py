"""HTTP/1.1 on one connection: deadlines, limits, and the order of pipelined requests.

A malformed request is refused in its turn among pipelined ones, and ends the connection.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from pkgutil import resolve_name
from sys import getsizeof
from time import monotonic
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.server import ServerState

from gql_app.lib.network import client_of
from gql_app.lib.server.connection import (
    MIN_BYTES_PER_SECOND,
    NEVER,
    Connection,
    ConnectionLimits,
    Usage,
)
from gql_app.lib.server.cycle import RequestCycle
from gql_app.lib.server.parser import RequestParser

MAX_PIPELINED: Final = 100
"""The most pipelined requests of one connection that are queued behind the first."""
QUEUED_BYTES: Final = 4096
"""Bytes of memory of a queued request without its headers, measured and rounded up."""
HEADER_BYTES: Final = 180
"""Bytes of memory of a header without its text, measured and rounded up."""
RATE_INTERVAL: Final = 10
"""Seconds over which the rate of a body is measured."""
SHUTDOWN_READ_TIMEOUT: Final = 3
"""Seconds that an arriving request has to complete once the server stops."""
SHUTDOWN_IDLE_TIMEOUT: Final = 1
"""Seconds that an idle connection stays open then, for a request that may be on its way."""
LINGER_TIMEOUT: Final = 5
"""Seconds for which what the peer sends after the last response is discarded."""
MAX_LINGERING: Final = 32
"""Connections beyond a limit that may linger; more are closed at once."""
_NO_REQUEST: Final[Mapping[str, Any]] = {
    "method": "",
    "http_version": "1.1",
    "path": "",
    "query_string": b"",
}
"""A refusal's part of the scope if no head was read."""
_FORWARDED: Final = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})
"""Headers that a refusal has beside Origin once all were read: a proxy's may come last."""


class HttpProtocol(Connection):
    """One HTTP/1.1 connection, with its limits and deadlines."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: ConnectionLimits,
        usage: Usage,
        refuse: str,
    ) -> None:
        super().__init__(limits.timeout)
        self._app: ASGIApp = config.loaded_app
        self._server = server_state
        self._app_state = app_state
        self._limits = limits
        self._usage = usage
        self._refusal = refuse
        self._parser = RequestParser(limits, self._on_head, self._on_body, self._on_end)
        self._counted_as: str | None = None
        """The client that this connection is counted for; None if it is not."""
        self._excess = 0
        """Connections beyond a limit when this one was made; positive if it is to be refused."""
        self._read_timeout = limits.timeout
        self._idle_timeout = min(limits.keep_alive_timeout, limits.timeout)
        self._arrival_due_at = 0.0
        """The deadline for the arriving head or body to be complete, whatever its rate."""
        self._measured_bytes = 0
        self._queue: deque[RequestCycle] = deque()
        """Requests whose responses are not complete; the first of them is being answered."""
        self._receiving: RequestCycle | None = None
        """The request whose body is arriving; it may have been answered already."""
        self._is_idle = self._is_refused = self._is_stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request, or refuse it with 503 if there are too many connections."""
        super().connection_made(transport)
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn knows its own
        if self._usage.timer is None:
            self._usage.sweep(self._server.connections)  # type: ignore[arg-type]  # as above
        if self.server is None or self.server[1] != self._limits.uncounted_port:
            self._count()
        if self._excess > 0:
            self._refuse(503, "There are too many connections; try again")
        else:
            self._set_read_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the connection's requests, and count nothing of it any more."""
        super().connection_lost(exc)
        self._server.connections.discard(self)
        if self._counted_as is not None:
            self._usage.connections[self._counted_as] -= 1
            if not self._usage.connections[self._counted_as]:
                del self._usage.connections[self._counted_as]
        for cycle in self._queue:
            self._release(cycle)
            cycle.cancel()
        self._queue.clear()

    def shutdown(self) -> None:
        """Answer what has arrived as the server stops, and shorten the time-outs of what has not.

        A request that was sent before the peer could know is answered, on an idle connection too.
        """
        self._is_stopping = True
        self._read_timeout = min(SHUTDOWN_READ_TIMEOUT, self._read_timeout)
        self._idle_timeout = min(SHUTDOWN_IDLE_TIMEOUT, self._idle_timeout)
        if self.is_closing:
            self.expect(SHUTDOWN_IDLE_TIMEOUT)
        elif self._is_arriving and not self._is_refused:
            self._set_read_deadline()
        elif not self._queue:
            self._wait_idle()
        if not self._parser.in_head:
            self._close_after_last()

    def data_received(self, data: bytes) -> None:
        """Parse the bytes, or refuse the request; after the last request they are discarded."""
        if self._is_refused or self.is_closing:
            self.discard(len(data))
            return
        if self._is_idle:
            self._is_idle = False
            self.due_at = NEVER
        try:
            self._parser.feed(data)
        except HTTPException as why:
            self._refuse(why.status_code, why.detail)
            return
        is_waited_for = self.due_at < NEVER and not self._is_idle
        if (self._is_arriving or not self._parser.has_progressed) and not is_waited_for:
            self._set_read_deadline()

    def on_timeout(self) -> None:
        """Time out what has not arrived, unless it is a body that arrives fast enough."""
        left = self._arrival_due_at - monotonic()
        if self.is_closing:
            super().on_timeout()
        elif not self.transport.is_reading():  # the server is late, not the peer
            self._set_read_deadline()
        elif not self._is_arriving and self._queue:
            self._close_after_last()
        elif not self._is_arriving or (self._receiving and self._receiving.response_complete):
            self._close(may_linger=False)
        elif left <= 0:
            self._refuse(408, f"The request did not arrive within {self._read_timeout} seconds")
        elif self._parser.body_bytes - self._measured_bytes < MIN_BYTES_PER_SECOND * RATE_INTERVAL:
            message = f"The body came more slowly than {MIN_BYTES_PER_SECOND} bytes a second"
            self._refuse(408, message)
        else:
            self._measured_bytes = self._parser.body_bytes
            self.expect(min(RATE_INTERVAL, left))

    def _on_head(self, request: dict[str, Any], keep_alive: bool) -> None:  # noqa: FBT001
        """Start the application on a request, or queue it. Raise HTTPException."""
        if len(self._queue) > MAX_PIPELINED:
            raise HTTPException(429, f"More than {MAX_PIPELINED} requests are waiting already")
        self.due_at = NEVER  # a body that does not come at once has a new one
        self._receiving = self._enqueue(self._app, request, keep_alive=keep_alive)
        if len(self._queue) > 1:
            self.transport.pause_reading()
            self._count_pending(self._receiving, _size_of(request))

    def _on_body(self, body: bytes) -> None:
        """Add a piece to the request's body, unless it has been answered. Raise HTTPException.

        The application refuses a body over its limit; one of more than twice that is refused here.
        """
        cycle = self._receiving
        if cycle is None or cycle.response_complete:
            return
        if self._parser.body_bytes > 2 * self._limits.body_bytes:
            raise HTTPException(413, f"The body is larger than {self._limits.body_bytes} bytes")
        self._count_pending(cycle, len(body))
        cycle.feed(body, more_body=True)

    def _count_pending(self, cycle: RequestCycle, size: int) -> None:
        """Count bytes that a request takes; beyond the room for all, or its client's share, refuse.

        Raise HTTPException.
        """
        usage, room, client = self._usage, self._limits.pending_body_bytes, self._counted_as
        cycle.pending_bytes += size
        usage.pending_body_bytes += size
        usage.pending_of[client] += size
        share = room if client is None else max(room // 4, 2 * self._limits.body_bytes)
        if usage.pending_body_bytes > room or usage.pending_of[client] > share:
            raise HTTPException(503, "Too many requests are arriving at once; try again")

    def _on_end(self) -> None:
        """End the request; if it has been answered already, wait for the next."""
        self.due_at = NEVER
        cycle, self._receiving = self._receiving, None
        if cycle is not None:
            cycle.feed(more_body=False)
            if self._queue and self._queue[0] is cycle:
                self._release(cycle)
        if not self._queue:
            self._wait_idle()

    def _on_complete(self, cycle: RequestCycle) -> None:
        """Start the next queued request, and set the deadline for the peer to read the response."""
        self._queue.popleft()
        self._release(cycle)
        if not cycle.keep_alive:
            self._close()
        self.expect_drain()
        if self.is_closing:
            return
        if self._queue:
            self._start(self._queue[0])
        elif self._receiving is not None:  # the rest of the body is discarded
            self.expect(min(LINGER_TIMEOUT, self._read_timeout))
        else:
            self._wait_idle()
        if len(self._queue) > 1:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    @property
    def _is_arriving(self) -> bool:
        return self._parser.in_head or self._receiving is not None

    def _count(self) -> None:
        """Count this connection against both limits: all connections, and those of its client."""
        self._excess = len(self._server.connections) - self._limits.connections
        if self.client is not None and self.client[0] not in self._limits.proxies:
            self._counted_as = client_of(self.client[0])
            self._usage.connections[self._counted_as] += 1
            of_client = self._usage.connections[self._counted_as]
            self._excess = max(self._excess, of_client - self._limits.connections_per_address)

    def _release(self, cycle: RequestCycle) -> None:
        """Stop counting the bytes of a request as pending."""
        if not cycle.pending_bytes:
            return
        self._usage.pending_body_bytes -= cycle.pending_bytes
        self._usage.pending_of[self._counted_as] -= cycle.pending_bytes
        if not self._usage.pending_of[self._counted_as]:
            del self._usage.pending_of[self._counted_as]
        cycle.pending_bytes = 0

    def _enqueue(
        self, app: ASGIApp, request: Mapping[str, Any], *, keep_alive: bool
    ) -> RequestCycle:
        """Return the cycle of a request, queued, and started if it is the first."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "scheme": "http",
            "root_path": "",
            "state": dict(self._app_state),
            "client": self.client,
            "server": self.server,
            **request,
        }
        headers = self._server.default_headers
        keep_alive = keep_alive and not self._is_stopping
        cycle = RequestCycle(self, app, scope, headers, self._on_complete, keep_alive=keep_alive)
        self._queue.append(cycle)
        if len(self._queue) == 1:
            self._start(cycle)
        return cycle

    def _start(self, cycle: RequestCycle) -> None:
        if not cycle.more_body:
            self._release(cycle)
        cycle.start(self._server.tasks)

    def _close(self, *, may_linger: bool = True) -> None:
        """Close the connection; it lingers if the peer may still be sending."""
        self.due_at = NEVER
        unread = self._is_refused or self._is_arriving or not self.transport.is_reading()
        lingers = may_linger and (unread or self._queue) and self._excess <= MAX_LINGERING
        linger = SHUTDOWN_IDLE_TIMEOUT if self._is_stopping else LINGER_TIMEOUT
        self.close(linger if lingers else 0)

    def _close_after_last(self) -> None:
        """Close the connection after the last queued request, unless its response has started."""
        if self._queue and not self._queue[-1].response_started:
            self._queue[-1].keep_alive = False

    def _wait_idle(self) -> None:
        self._is_idle = True
        self.expect(self._idle_timeout)

    def _set_read_deadline(self) -> None:
        """Set the deadline of what is arriving, and for a body the next check of its rate."""
        self._is_idle = False
        self._arrival_due_at = monotonic() + self._read_timeout
        self._measured_bytes = self._parser.body_bytes
        in_body = self._receiving is not None
        self.expect(min(RATE_INTERVAL, self._read_timeout) if in_body else self._read_timeout)

    def _refuse(self, status: int, message: str) -> None:
        """Queue a refusal in place of the arriving request, and end the connection after it."""
        self._is_refused = True
        self.due_at = NEVER
        unfinished, self._receiving = self._receiving, None
        if unfinished is not None and unfinished.response_started:
            if unfinished.ends_with_connection and not unfinished.response_complete:
                self.reset()
            else:
                self._close(may_linger=unfinished.response_complete)
            return
        request = _NO_REQUEST
        if unfinished is not None:
            self._release(unfinished)
            self._queue.pop()
            unfinished.refuse()
            request = {name: unfinished.scope[name] for name in ("method", "http_version", "path")}
        headers = {"Retry-After": "1"} if status in {429, 503} else {}
        app = resolve_name(self._refusal)(status, f"{message}.", headers)
        kept = {b"origin"} if self._parser.in_head else {b"origin", *_FORWARDED}
        headers_kept = [header for header in self._parser.headers if header[0] in kept]
        self._enqueue(app, {**_NO_REQUEST, **request, "headers": headers_kept}, keep_alive=False)


def _size_of(request: Mapping[str, Any]) -> int:
    """Return the bytes of memory of a queued request without its body."""
    headers: Sequence[tuple[bytes, bytes]] = request["headers"]
    texts = sum(HEADER_BYTES + len(name) + len(value) for name, value in headers)
    path = getsizeof(request["path"]) + len(request["raw_path"])
    return QUEUED_BYTES + path + len(request["query_string"]) + texts
