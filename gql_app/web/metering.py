"""What a connection takes of its process: a place among others, and memory for bodies."""

import asyncio
from typing import Any, cast

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from gql_app.lib.network.addresses import canonical, client_of
from gql_app.web.bounds import MAX_REFUSED, Bounds, Usage
from gql_app.web.cycles import Cycle
from gql_app.web.framing import Unacceptable
from gql_app.web.sending import Sending


class Metered(Sending):
    """A connection that is counted as long as it lasts, and its bodies until they are whole."""

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
        super().__init__(config, server_state, app_state, _loop, bounds=bounds)
        self._usage = usage
        self._client: str | None = None
        """Whose connections this one is counted with."""
        self._beyond = 0
        """How many connections there are beyond a limit, this one being the last."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Spell the peer's address as all do, and count its connections."""
        super().connection_made(transport)
        if self.client is not None:
            self.client = canonical(self.client[0]), self.client[1]
        if self._watches():
            return
        self._beyond = len(self.connections) - self._bounds.connections
        if self.client is not None and self.client[0] not in self._bounds.proxies:
            self._client = client_of(self.client[0])
            of_client = self._usage.connect(self._client)
            self._beyond = max(self._beyond, of_client - self._bounds.connections_per_address)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count nothing of it any more."""
        if self._client is not None:
            self._usage.disconnect(self._client)
        self._release(self.cycle)
        self._release(self._answered and self._answered[0])
        for cycle, _ in self.pipeline:
            self._release(cycle)
        super().connection_lost(exc)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body that somebody waits for. Raises Unacceptable."""
        if not self.cycle.response_complete:
            self._usage.pending_body_bytes += len(body)
            cast("Cycle", self.cycle).pending += len(body)
            if self._usage.pending_body_bytes > self._bounds.pending_body_bytes:
                raise Unacceptable(503, "Too many bodies are arriving at once; try again")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Count a whole body no more, unless its request has to wait for its turn."""
        super().on_message_complete()
        if not self.pipeline:
            self._release(self.cycle)

    def on_response_complete(self) -> None:
        """Drop what has come of a body that nobody waits for any more."""
        if self._answered is not None:
            self._release(self._answered[0])
            self._answered[0].body.clear()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if not cycle.more_body:
            self._release(cycle)
        super()._start_asgi_task(cycle, app)

    def _release(self, cycle: RequestResponseCycle | None) -> None:
        """Count the bytes of a request's body no more."""
        if cycle is not None:
            self._usage.pending_body_bytes -= cast("Cycle", cycle).pending
            cast("Cycle", cycle).pending = 0

    def _may_be_reset(self) -> bool:
        """Tell so of a few of those beyond a limit; the others would take up room as well."""
        return self._beyond <= MAX_REFUSED and super()._may_be_reset()

    def _watches(self) -> bool:
        """Tell whether it came by the port where one sees why there is no room at the other."""
        return self.server is not None and self.server[1] == self._bounds.management_port
