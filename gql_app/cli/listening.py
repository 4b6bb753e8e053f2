"""Listening: the ports that a server opens, and the processes that answer there."""

import asyncio
import sys
from contextlib import suppress
from functools import partial
from typing import Final, cast

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload, Multiprocess

from gql_app.settings import Settings
from gql_app.web.bounds import Bounds
from gql_app.web.listening import keep_newcomers_out
from gql_app.web.wire import Wire

GRACE: Final = 20
"""Seconds that requests have to finish when the server is told to stop."""


def listen(chosen: Settings, host: str, port: int, workers: int, *, reload: bool) -> None:
    """Serve until told to stop, as uvicorn.run does, but for how that ends."""
    config = _config(chosen, host, port, workers, reload=reload)
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        if config.should_reload:
            ChangeReload(config, target=server.run, sockets=[config.bind_socket()]).run()
        elif config.workers > 1:
            Workers(config, sockets=[config.bind_socket()]).run()
        else:
            server.run()
            if not server.started:
                sys.exit(STARTUP_FAILURE)


class Workers(Multiprocess):
    """The parent of the processes that serve, when there are several."""

    def terminate_all(self) -> None:
        """Have all of them finish, once nobody new gets in."""
        for listener in self.sockets:
            keep_newcomers_out(listener)
        super().terminate_all()


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
