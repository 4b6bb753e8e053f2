"""What this server uses of uvicorn without its documentation, attribute by attribute."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

from starlette.types import Receive, Scope, Send

from gql_app.lib.server.connection import Usage
from gql_app.lib.server.protocol import HttpProtocol
from gql_app.lib.server.serving import Config, Server
from tests.lib.server.in_process import LIMITS, all_said, ask
from tests.processes import PATIENCE


class App:
    """An application that tells its scope, and waits where it is asked to."""

    def __init__(self) -> None:
        self.begun, self.gate = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["colour"] = "green"
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.begun.set()
        await self.gate.wait()
        scope["state"]["seen"] = scope["state"].get("seen", 0) + 1
        body = json.dumps(scope["state"]).encode()
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def running(app: App) -> AsyncIterator[tuple[Server, tuple[str, int]]]:
    """Run uvicorn with the protocol, and stop it as a signal does."""
    protocol = partial(
        HttpProtocol, limits=LIMITS, usage=Usage(), refuse="gql_app.web.middleware:refuse"
    )
    config = Config(
        app,
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        lifespan="on",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
    )
    server = Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    address: tuple[str, int] = listener.getsockname()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 — uvicorn sends no event
            await asyncio.sleep(0.01)
        yield server, address
        server.should_exit = True


async def connect(address: tuple[str, int]) -> socket.socket:
    """Open a connection."""
    peer = socket.socket()
    peer.settimeout(0)
    await asyncio.get_running_loop().sock_connect(peer, address)
    return peer


async def test_application_state_and_date_are_those_of_uvicorn() -> None:
    app = App()
    app.gate.set()
    async with running(app) as (server, address):
        assert server.config.loaded_app is app
        for _ in range(2):
            with await connect(address) as peer:
                await ask(peer, "GET", "Connection: close")
                head, _, body = (await all_said(peer)).partition(b"\r\n\r\n")
            assert json.loads(body) == {"colour": "green", "seen": 1}
            (date,) = (value for name, value in server.server_state.default_headers)
            assert b"\r\ndate: " in head
            assert date.endswith(b" GMT")


async def test_connections_and_tasks_are_where_uvicorn_waits_for_them() -> None:
    app = App()
    async with running(app) as (server, address):
        state = server.server_state
        with await connect(address) as peer:
            await ask(peer)
            await app.begun.wait()
            (connection,) = state.connections
            assert isinstance(connection, HttpProtocol)
            assert len(state.tasks) == 1
            app.gate.set()
        while state.connections or state.tasks:  # noqa: ASYNC110 — as above
            await asyncio.sleep(0.01)


async def test_uvicorn_tells_connections_to_finish_and_waits_for_them() -> None:
    app = App()
    async with running(app) as (server, address):
        with await connect(address) as busy, await connect(address) as idle:
            await ask(busy)
            await app.begun.wait()
            server.should_exit = True
            assert await all_said(idle) == b""
            app.gate.set()
            head, _, body = (await all_said(busy)).partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head
    assert json.loads(body)["colour"] == "green"
    assert not server.server_state.connections
