"""HTTP/1.1 on one connection: deadlines, limits, and the order of pipelined requests.

A fault is refused in its turn among pipelined requests, and ends the connection.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.server import ServerState

from gql_app.lib.network import client_of
from gql_app.lib.server.connection import Connection
from gql_app.lib.server.cycle import RequestCycle
from gql_app.lib.server.deadline import TICK, Deadline
from gql_app.lib.server.framing import BadRequest
from gql_app.lib.server.limits import (
    LINGER_TIMEOUT,
    MAX_LINGERING,
    MAX_PIPELINED,
    MIN_BYTES_PER_SECOND,
    PACE_INTERVAL,
    SHUTDOWN_IDLE_TIMEOUT,
    SHUTDOWN_READ_TIMEOUT,
    ConnectionLimits,
    Usage,
)
from gql_app.lib.server.parser import RequestParser

Refuse = Callable[[int, str, Mapping[str, str]], ASGIApp]
"""Returns the application that writes a refusal, of its status, sentence and headers."""
_RETRIED: Final = frozenset({429, 503})
_NO_REQUEST: Final[Mapping[str, Any]] = {
    "method": "",
    "http_version": "1.1",
    "path": "",
    "raw_path": b"",
    "query_string": b"",
    "headers": (),
}
"""A scope's part of what never became a request."""


class HttpProtocol(asyncio.Protocol):
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
        refuse: Refuse,
    ) -> None:
        self._app: ASGIApp = config.loaded_app
        self._connections: set[Any] = server_state.connections
        self._server = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._limits = limits
        self._usage = usage
        self._refusal = refuse
        self._parser = RequestParser(self, limits)
        self._connection: Connection
        self._counted_as: str | None = None
        """The client with whose connections this one is counted."""
        self._beyond = 0
        """How many connections there are beyond a limit, this one being the last."""
        self._timeout = limits.timeout
        self._keep_alive_timeout = min(limits.keep_alive_timeout, limits.timeout)
        self._due = Deadline(self._loop, self._on_late)
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
        self._connections.add(self)
        self._connection = Connection(transport, self._loop, self._limits.timeout)
        if self._connection.server[1] != self._limits.uncounted_port:
            self._count(self._connection.client[0])
        if self._beyond > 0:
            self._refuse(503, "There are too many connections; try again")
        else:
            self._await()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — asyncio's
        """Cancel the request that is being answered, and count nothing of the connection."""
        self._connections.discard(self)
        if self._counted_as is not None:
            self._usage.connections[self._counted_as] -= 1
            if not self._usage.connections[self._counted_as]:
                del self._usage.connections[self._counted_as]
        self._due.end()
        self._connection.lost()
        for cycle in self._queue:
            self._release(cycle)
            cycle.cancel()
        self._queue.clear()

    def pause_writing(self) -> None:
        """Let the application wait for the peer."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Let the application go on."""
        self._connection.resume_writing()

    def shutdown(self) -> None:
        """Finish what has arrived, and soon give up what has not, as the server stops.

        What the peer sent before it could know is answered, on an idle connection as well.
        """
        self._is_stopping = True
        self._timeout = min(SHUTDOWN_READ_TIMEOUT, self._timeout)
        self._keep_alive_timeout = min(SHUTDOWN_IDLE_TIMEOUT, self._keep_alive_timeout)
        if self._connection.is_closing:
            self._connection.linger.set(SHUTDOWN_IDLE_TIMEOUT)
        elif self._is_arriving and not self._is_refused:
            self._await()
        elif not self._queue:
            self._wait_idle()
        if not self._parser.in_head:
            self._end_with_last()

    def data_received(self, data: bytes) -> None:
        """Parse what has come, or refuse it."""
        if self._is_refused or self._connection.is_closing:
            self._connection.discard(len(data))
            return
        if self._is_idle:
            self._is_idle = False
            self._due.clear()
        try:
            self._parser.feed(data)
        except BadRequest as why:
            self._refuse(why.status, why.message)
            return
        is_waited_for = self._due.pending and not self._is_idle
        if (self._is_arriving or not self._parser.has_moved) and not is_waited_for:
            self._await()

    def on_head(self, request: dict[str, Any], *, keep_alive: bool) -> None:
        """Start the application on a request, or queue it. Raise BadRequest."""
        if len(self._queue) > MAX_PIPELINED:
            raise BadRequest(429, f"More than {MAX_PIPELINED} requests are waiting already")
        self._due.clear()  # a body that does not come at once has as long again
        self._receiving = self._enqueue(self._app, request, keep_alive=keep_alive)
        if len(self._queue) > 1:
            self._connection.pause_reading()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body, unless nobody wants it any more. Raise BadRequest."""
        cycle = self._receiving
        if cycle is None or cycle.response_complete:
            return
        cycle.pending_bytes += len(body)
        self._usage.pending_body_bytes += len(body)
        if self._usage.pending_body_bytes > self._limits.pending_body_bytes:
            raise BadRequest(503, "Too many bodies are arriving at once; try again")
        cycle.feed(body)

    def on_end(self) -> None:
        """End the request; if it has been answered already, the next may come."""
        self._due.clear()
        if self._receiving is not None:
            self._receiving.feed_end()
            if self._queue and self._queue[0] is self._receiving:
                self._release(self._receiving)
            self._receiving = None
        if not self._queue:
            self._wait_idle()

    @property
    def _is_arriving(self) -> bool:
        return self._parser.in_head or self._receiving is not None

    def _count(self, address: str) -> None:
        """Count this connection among all, and among those of its client."""
        self._beyond = len(self._connections) - self._limits.connections
        if address and address not in self._limits.proxies:
            self._counted_as = client_of(address)
            counted = self._usage.connections
            counted[self._counted_as] += 1
            beyond = counted[self._counted_as] - self._limits.connections_per_address
            self._beyond = max(self._beyond, beyond)

    def _release(self, cycle: RequestCycle) -> None:
        """Count the bytes of a body as pending no more."""
        self._usage.pending_body_bytes -= cycle.pending_bytes
        cycle.pending_bytes = 0

    def _enqueue(
        self, app: ASGIApp, request: Mapping[str, Any], *, keep_alive: bool
    ) -> RequestCycle:
        """Return a new cycle, started if its turn has come."""
        client, server = self._connection.client, self._connection.server
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "scheme": "http",
            "root_path": "",
            "state": dict(self._app_state),
            "client": client if client[0] else None,  # a pipe's end has no address
            "server": server if server[0] else None,
            **request,
        }
        headers = self._server.default_headers
        keep_alive = keep_alive and not self._is_stopping
        cycle = RequestCycle(
            self._connection, app, scope, headers, self._on_complete, keep_alive=keep_alive
        )
        self._queue.append(cycle)
        if len(self._queue) == 1:
            self._start(cycle)
        return cycle

    def _start(self, cycle: RequestCycle) -> None:
        if not cycle.more_body:
            self._release(cycle)
        task = cycle.start(self._loop)
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    def _on_complete(self, cycle: RequestCycle) -> None:
        """Turn to the next request, read no more before the last, have the response taken."""
        self._queue.popleft()
        self._release(cycle)
        if not cycle.keep_alive:
            self._close()
        self._connection.expect_taken()
        if self._connection.is_closing:
            return
        if self._queue:
            self._start(self._queue[0])
        elif not self._due.pending:  # nothing is still to come
            self._wait_idle()
        if len(self._queue) > 1:
            self._connection.pause_reading()
        else:
            self._connection.resume_reading()

    def _close(self, *, may_linger: bool = True) -> None:
        """Close the connection; it lingers if the peer may still be sending."""
        self._due.clear()
        unread = self._is_refused or self._is_arriving or not self._connection.is_reading
        lingers = may_linger and (unread or self._queue) and self._beyond <= MAX_LINGERING
        linger = SHUTDOWN_IDLE_TIMEOUT if self._is_stopping else LINGER_TIMEOUT
        self._connection.close(linger if lingers else 0)

    def _end_with_last(self) -> None:
        """Close the connection after the last request that has come, if its response can say so."""
        if self._queue and not self._queue[-1].response_started:
            self._queue[-1].keep_alive = False

    def _wait_idle(self) -> None:
        self._is_idle = True
        self._due.set(self._keep_alive_timeout)

    def _await(self) -> None:
        """Set the deadline of what is arriving, and for a body the next check of its pace."""
        self._is_idle = False
        self._due_at = monotonic() + self._timeout
        self._paced_bytes = self._parser.body_bytes
        in_body = self._receiving is not None
        self._due.set(min(PACE_INTERVAL, self._timeout) if in_body else self._timeout)

    def _on_late(self) -> None:
        """Give up what has not arrived, unless it is a body that comes fast enough."""
        left = self._due_at - monotonic()
        if not self._connection.is_reading:  # it is the server that is late
            self._await()
        elif not self._is_arriving and self._queue:
            self._end_with_last()
        elif not self._is_arriving:
            self._close(may_linger=False)
        elif left <= TICK:
            self._refuse(408, f"The request did not arrive within {self._limits.timeout} seconds")
        elif self._parser.body_bytes - self._paced_bytes < MIN_BYTES_PER_SECOND * PACE_INTERVAL:
            message = f"The body came more slowly than {MIN_BYTES_PER_SECOND} bytes a second"
            self._refuse(408, message)
        else:
            self._paced_bytes = self._parser.body_bytes
            self._due.set(min(PACE_INTERVAL, left))

    def _refuse(self, status: int, message: str) -> None:
        """Write a refusal in the request's stead, when its turn comes, and nothing after it."""
        self._is_refused = True
        self._due.clear()
        unfinished, self._receiving = self._receiving, None
        if unfinished is not None and unfinished.response_started:
            self._close(may_linger=unfinished.response_complete)
            return
        if unfinished is not None:
            self._release(unfinished)
            unfinished.disconnect()
            self._queue.pop()
        headers = {"Retry-After": "1"} if status in _RETRIED else {}
        self._enqueue(self._refusal(status, f"{message}.", headers), _NO_REQUEST, keep_alive=False)
