"""Listening: the ports that a server opens, and the processes that answer there."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from socket import socket
from tempfile import TemporaryDirectory
from typing import Final, cast

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload, Multiprocess

from gql_app.errors import CannotStart
from gql_app.settings import PREFIX, SHARED_NUMBERS, Settings
from gql_app.web.bounds import Bounds
from gql_app.web.listening import keep_newcomers_out
from gql_app.web.wire import Wire

GRACE: Final = 20
"""Seconds that requests have to finish when the server is told to stop."""


def listen(chosen: Settings, host: str, port: int, workers: int, *, reload: bool) -> None:
    """Serve until told to stop, as uvicorn.run does, on the port of those who watch as well.

    Raises CannotStart.
    """
    if chosen.management_port == port:
        raise CannotStart([f"{PREFIX}MANAGEMENT_PORT: is the port that is served already"])
    config = _config(chosen, host, port, workers, reload=reload)
    server = uvicorn.Server(config)
    several = workers > 1 and not reload
    with suppress(KeyboardInterrupt), _numbers_shared(several):
        sockets = _bound(config, chosen)
        if reload:
            ChangeReload(config, target=server.run, sockets=sockets).run()
        elif several:
            Workers(config, sockets=sockets).run()
        else:
            server.run(sockets=sockets or None)
    if not server.started and not several and not reload:
        sys.exit(STARTUP_FAILURE)


class Workers(Multiprocess):
    """The parent of the processes that serve, when there are several."""

    def terminate_all(self) -> None:
        """Have all of them finish, once nobody new gets in."""
        for listener in self.sockets:
            keep_newcomers_out(listener)
        super().terminate_all()


def _bound(config: uvicorn.Config, chosen: Settings) -> list[socket]:
    """Bind what processes share; a single one binds its only port by itself, for any family."""
    port = chosen.management_port
    if port is None:
        return [config.bind_socket()] if config.should_reload or config.workers > 1 else []
    watching = uvicorn.Config(
        config.app, host=chosen.management_host, port=port, log_config=None, workers=1
    )
    return [config.bind_socket(), watching.bind_socket()]


@contextmanager
def _numbers_shared(several: bool) -> Iterator[None]:  # noqa: FBT001 — the one thing it asks
    """Have several processes keep the numbers that they count in one private folder."""
    if not several:
        yield
        return
    with TemporaryDirectory(prefix="gql_app-numbers-", ignore_cleanup_errors=True) as folder:
        os.environ[SHARED_NUMBERS] = folder
        yield


def _config(
    chosen: Settings, host: str, port: int, workers: int, *, reload: bool
) -> uvicorn.Config:
    """Tell uvicorn what to serve, and what to leave to us."""
    return uvicorn.Config(
        "gql_app.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        reload=reload,
        http=_wire(chosen),
        loop="gql_app.web.listening:Loop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=chosen.trusted_proxies is not None,
        forwarded_allow_ips=chosen.trusted_proxies,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )


def _wire(chosen: Settings) -> type[asyncio.Protocol]:
    """Bound each connection: uvicorn calls what it takes for a class, in every worker."""
    return cast("type[asyncio.Protocol]", partial(Wire, bounds=Bounds.of(chosen)))
