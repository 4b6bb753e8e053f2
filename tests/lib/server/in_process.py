"""An application served in the test's process, and its client connection."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from gql_app.lib.server.connection import ConnectionLimits, Usage
from gql_app.lib.server.protocol import HttpProtocol

LIMITS = ConnectionLimits(
    connections=10,
    timeout=60,
    keep_alive_timeout=60,  # so that a disconnect isn't due to idleness
    header_bytes=2_000,
    body_bytes=2_000,
    pending_body_bytes=10_000,
    connections_per_address=10,
)


def answering(*messages: Message) -> ASGIApp:
    """Return an application that always answers the same."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))

    return app


@asynccontextmanager
async def connected(
    app: ASGIApp, limits: ConnectionLimits = LIMITS, state: Mapping[str, Any] | None = None
) -> AsyncIterator[socket.socket]:
    """Serve an application with the state of its lifespan, and connect to it."""
    config = Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
    )
    config.load()
    serve = partial(
        HttpProtocol,
        config,
        ServerState(),
        dict(state or {}),
        limits=limits,
        usage=Usage(),
        refuse="gql_app.web.middleware:refuse",
    )
    loop = asyncio.get_running_loop()
    async with await loop.create_server(serve, "127.0.0.1", 0) as server:
        with socket.socket() as peer:
            peer.settimeout(0)
            await loop.sock_connect(peer, server.sockets[0].getsockname())
            yield peer


async def ask(peer: socket.socket, method: str = "GET", *headers: str) -> None:
    """Send a request without a body."""
    lines = [f"{method} / HTTP/1.1", "Host: test", *headers, "", ""]
    await asyncio.get_running_loop().sock_sendall(peer, "\r\n".join(lines).encode())


async def all_said(peer: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    said = b""
    async with asyncio.timeout(10):
        while more := await asyncio.get_running_loop().sock_recv(peer, 65_536):
            said += more
    return said
