"""HTTP/1.1 on one connection: deadlines, limits, and the order of pipelined requests.

A fault is refused in its turn among pipelined requests, and ends the connection.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from pkgutil import resolve_name
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
"""Requests of one connection that may wait for the answers to those before them."""
PACE_INTERVAL: Final = 10
"""Seconds over which the pace of a body is measured."""
SHUTDOWN_READ_TIMEOUT: Final = 3
"""Seconds that a request may go on arriving once the server stops."""
SHUTDOWN_IDLE_TIMEOUT: Final = 1
"""Seconds that an idle connection stays open then, for what its peer may have sent already."""
LINGER_TIMEOUT: Final = 5
"""Seconds that a peer may go on sending after the last response."""
MAX_LINGERING: Final = 32
"""Connections beyond a limit that may linger; more are closed at once."""
_NO_REQUEST: Final[Mapping[str, Any]] = {
    "method": "",
    "http_version": "1.1",
    "path": "",
    "query_string": b"",
}
"""A scope's part of what never became a request; of its headers there is Origin alone."""


class HttpProtocol(Connection):
    """One connection, whose peer is waited for no longer than the limits allow."""

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
        """The client with whose connections this one is counted."""
        self._beyond = 0
        """How many connections there are beyond a limit, this one being the last."""
        self._read_timeout = limits.timeout
        self._idle_timeout = min(limits.keep_alive_timeout, limits.timeout)
        self._due_at = 0.0
        """When what is arriving has to be there, whatever its pace."""
        self._paced_bytes = 0
        self._queue: deque[RequestCycle] = deque()
        """Requests whose responses are not complete; the first of them is being answered."""
        self._receiving: RequestCycle | None = None
        """The request whose body is arriving; it may have been answered already."""
        self._is_idle = self._is_refused = self._is_stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request, unless there are too many connections already."""
        super().connection_made(transport)
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn knows its own
        if self._usage.timer is None:
            self._usage.sweep(self._server.connections)  # type: ignore[arg-type]  # as above
        if self.server is None or self.server[1] != self._limits.uncounted_port:
            self._count()
        if self._beyond > 0:
            self._refuse(503, "There are too many connections; try again")
        else:
            self._await()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the request that is being answered, and count nothing of the connection."""
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
        """Finish what has arrived, and soon give up what has not, as the server stops.

        What the peer sent before it could know is answered, on an idle connection as well.
        """
        self._is_stopping = True
        self._read_timeout = min(SHUTDOWN_READ_TIMEOUT, self._read_timeout)
        self._idle_timeout = min(SHUTDOWN_IDLE_TIMEOUT, self._idle_timeout)
        if self.is_closing:
            self.expect(SHUTDOWN_IDLE_TIMEOUT)
        elif self._is_arriving and not self._is_refused:
            self._await()
        elif not self._queue:
            self._wait_idle()
        if not self._parser.in_head:
            self._end_with_last()

    def data_received(self, data: bytes) -> None:
        """Parse what has come, or refuse it."""
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
        if (self._is_arriving or not self._parser.has_moved) and not is_waited_for:
            self._await()

    def on_late(self) -> None:
        """Give up what has not arrived, unless it is a body that comes fast enough."""
        left = self._due_at - monotonic()
        if self.is_closing:
            super().on_late()
        elif not self.transport.is_reading():  # it is the server that is late
            self._await()
        elif not self._is_arriving and self._queue:
            self._end_with_last()
        elif not self._is_arriving:
            self._end(may_linger=False)
        elif left <= 0:
            self._refuse(408, f"The request did not arrive within {self._limits.timeout} seconds")
        elif self._parser.body_bytes - self._paced_bytes < MIN_BYTES_PER_SECOND * PACE_INTERVAL:
            message = f"The body came more slowly than {MIN_BYTES_PER_SECOND} bytes a second"
            self._refuse(408, message)
        else:
            self._paced_bytes = self._parser.body_bytes
            self.expect(min(PACE_INTERVAL, left))

    def _on_head(self, request: dict[str, Any], keep_alive: bool) -> None:  # noqa: FBT001
        """Start the application on a request, or queue it. Raise HTTPException."""
        if len(self._queue) > MAX_PIPELINED:
            raise HTTPException(429, f"More than {MAX_PIPELINED} requests are waiting already")
        self.due_at = NEVER  # a body that does not come at once has as long again
        self._receiving = self._enqueue(self._app, request, keep_alive=keep_alive)
        if len(self._queue) > 1:
            self.transport.pause_reading()

    def _on_body(self, body: bytes) -> None:
        """Take a piece of a body, unless nobody wants it any more. Raise HTTPException."""
        cycle = self._receiving
        if cycle is None or cycle.response_complete:
            return
        cycle.pending_bytes += len(body)
        self._usage.pending_body_bytes += len(body)
        if self._usage.pending_body_bytes > self._limits.pending_body_bytes:
            raise HTTPException(503, "Too many bodies are arriving at once; try again")
        cycle.feed(body, more_body=True)

    def _on_end(self) -> None:
        """End the request; if it has been answered already, the next may come."""
        self.due_at = NEVER
        cycle, self._receiving = self._receiving, None
        if cycle is not None:
            cycle.feed(more_body=False)
            if self._queue and self._queue[0] is cycle:
                self._release(cycle)
        if not self._queue:
            self._wait_idle()

    def _on_complete(self, cycle: RequestCycle) -> None:
        """Turn to the next request, read no more before the last, have the response taken."""
        self._queue.popleft()
        self._release(cycle)
        if not cycle.keep_alive:
            self._end()
        self.expect_taken()
        if self.is_closing:
            return
        if self._queue:
            self._start(self._queue[0])
        elif self.due_at == NEVER:  # nothing is still to come
            self._wait_idle()
        if len(self._queue) > 1:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    @property
    def _is_arriving(self) -> bool:
        return self._parser.in_head or self._receiving is not None

    def _count(self) -> None:
        """Count this connection among all, and among those of its client."""
        self._beyond = len(self._server.connections) - self._limits.connections
        if self.client is not None and self.client[0] not in self._limits.proxies:
            self._counted_as = client_of(self.client[0])
            self._usage.connections[self._counted_as] += 1
            of_client = self._usage.connections[self._counted_as]
            self._beyond = max(self._beyond, of_client - self._limits.connections_per_address)

    def _release(self, cycle: RequestCycle) -> None:
        """Count the bytes of a body as pending no more."""
        self._usage.pending_body_bytes -= cycle.pending_bytes
        cycle.pending_bytes = 0

    def _enqueue(
        self, app: ASGIApp, request: Mapping[str, Any], *, keep_alive: bool
    ) -> RequestCycle:
        """Return a new cycle, started if its turn has come."""
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

    def _end(self, *, may_linger: bool = True) -> None:
        """Close the connection; it lingers if the peer may still be sending."""
        self.due_at = NEVER
        unread = self._is_refused or self._is_arriving or not self.transport.is_reading()
        lingers = may_linger and (unread or self._queue) and self._beyond <= MAX_LINGERING
        linger = SHUTDOWN_IDLE_TIMEOUT if self._is_stopping else LINGER_TIMEOUT
        self.close(linger if lingers else 0)

    def _end_with_last(self) -> None:
        """Close the connection after the last request that has come, if its response can say so."""
        if self._queue and not self._queue[-1].response_started:
            self._queue[-1].keep_alive = False

    def _wait_idle(self) -> None:
        self._is_idle = True
        self.expect(self._idle_timeout)

    def _await(self) -> None:
        """Set the deadline of what is arriving, and for a body the next check of its pace."""
        self._is_idle = False
        self._due_at = monotonic() + self._read_timeout
        self._paced_bytes = self._parser.body_bytes
        in_body = self._receiving is not None
        self.expect(min(PACE_INTERVAL, self._read_timeout) if in_body else self._read_timeout)

    def _refuse(self, status: int, message: str) -> None:
        """Write a refusal in the request's stead, when its turn comes, and nothing after it."""
        self._is_refused = True
        self.due_at = NEVER
        unfinished, self._receiving = self._receiving, None
        if unfinished is not None and unfinished.response_started:
            self._end(may_linger=unfinished.response_complete)
            return
        if unfinished is not None:
            self._release(unfinished)
            unfinished.disconnect()
            self._queue.pop()
        headers = {"Retry-After": "1"} if status in {429, 503} else {}
        app = resolve_name(self._refusal)(status, f"{message}.", headers)
        origins = [header for header in self._parser.headers if header[0] == b"origin"]
        self._enqueue(app, {**_NO_REQUEST, "headers": origins}, keep_alive=False)
