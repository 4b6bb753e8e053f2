"""What is being answered on a connection: it ends when nobody waits for it any more."""

import asyncio
from typing import Any
from urllib.parse import unquote

from httptools import parse_url
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gql_app.web.cycles import Cycle


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
        self.outlet: asyncio.Transport
        """What answers are written to."""

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

    def on_headers_complete(self) -> None:
        """Begin to answer, or have the request wait for its turn."""
        url = parse_url(self.url)
        path = url.path.decode("ascii")
        version = self.parser.get_http_version()
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = self.root_path + unquote(path)
        self.scope["raw_path"] = self.root_path.encode("ascii") + url.path
        self.scope["query_string"] = url.query or b""
        before = self.cycle
        self.cycle = self._cycle(keep_alive=version != "1.0" and self.parser.should_keep_alive())
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Answer a request, and remember which."""
        task = self.loop.create_task(cycle.run_asgi(app))
        self._answered = cycle, task
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _nameless_cycle(self) -> Cycle:
        """Make what answers something that is no request, and ends the connection."""
        super().on_message_begin()
        self.scope |= {"method": "", "path": "", "raw_path": b"", "query_string": b""}
        return self._cycle(keep_alive=False)

    def _cycle(self, *, keep_alive: bool) -> Cycle:
        return Cycle(
            scope=self.scope,
            transport=self.outlet,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
