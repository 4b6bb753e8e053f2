"""What happens to a request whose client closes the connection."""

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from gql_app.lib.server import Disconnect
from tests.lib.server.in_process import ask, connected
from tests.processes import PATIENCE


@pytest.mark.parametrize("is_shielded", [False, True])
async def test_request_is_cancelled_unless_it_is_shielded(*, is_shielded: bool) -> None:
    begun, gone, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    cancelled: list[bool] = []

    async def app(scope: Scope, receive: Receive, _send: Send) -> None:
        extension = Disconnect.of(scope)
        if is_shielded:
            extension.shield()
        await receive()
        begun.set()
        try:
            assert await receive() == {"type": "http.disconnect"}
            await gone.wait()
            cancelled.append(False)
        except asyncio.CancelledError:
            cancelled.append(extension.is_cancelled)
            raise
        finally:
            ended.set()

    async with asyncio.timeout(PATIENCE), connected(app) as peer:
        await ask(peer)
        await begun.wait()
        peer.close()
        if is_shielded:
            gone.set()
        await ended.wait()
    assert cancelled == [not is_shielded]


def test_another_server_has_no_such_extension() -> None:
    extension = Disconnect.of({"type": "http"})
    extension.shield()
    assert (extension.is_shielded, extension.is_cancelled) == (True, False)
