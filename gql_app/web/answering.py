"""What is being answered on a connection: it ends when nobody waits for it any more."""

import asyncio
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState


class Answering(HttpToolsProtocol):
    """A connection that knows which request is being answered, one at a time."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # uvicorn's own
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._answered: tuple[RequestResponseCycle, asyncio.Task[None]] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is being answered, with its SQL, unless it is to be seen through."""
        super().connection_lost(exc)
        if self._answered is None:
            return
        cycle, task = self._answered
        if not cycle.response_complete:
            cycle.disconnected = True
            context = cycle.scope["state"].get("context")
            if context is None or not context.unbroken:
                cycle.scope["state"]["abandoned"] = True
                task.cancel()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Answer a request, and remember which."""
        task = self.loop.create_task(cycle.run_asgi(app))
        self._answered = cycle, task
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _nameless_cycle(self) -> RequestResponseCycle:
        """Make what answers something that is no request, and ends the connection."""
        super().on_message_begin()
        self.scope |= {"method": "", "path": "", "raw_path": b"", "query_string": b""}
        return RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
