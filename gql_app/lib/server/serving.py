"""Serving: one process or several, until they are told to stop."""

import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import parent_process
from socket import socket
from typing import Final, cast

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload, Multiprocess

from gql_app.lib.server.limits import ConnectionLimits, Usage
from gql_app.lib.server.protocol import HttpProtocol, Refuse
from gql_app.lib.server.sockets import bind, keep_newcomers_out

_log: Final = logging.getLogger(__name__)
GRACEFUL_TIMEOUT: Final = 20
"""Seconds that requests have to finish when the server stops."""
_ACCEPT_TIME: Final = 0.25
"""Seconds for which a server that stops accepts those who have connected already."""
_ACCEPT_TURNS: Final = 5
"""How often it does, however late its turns come on a busy machine."""


class Server(uvicorn.Server):
    """One process that serves."""

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to serve, and log where."""
        await super().startup(sockets)
        if self.started and sockets and parent_process() is None:
            _log_address(sockets)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Accept for a moment more, then finish what has arrived."""
        if parent_process() is None:  # sockets that are shared are the parent's to close
            keep_newcomers_out(sockets or [])
            for _ in range(_ACCEPT_TURNS):  # each accepts all that are in the queue by then
                await asyncio.sleep(_ACCEPT_TIME / _ACCEPT_TURNS)
        await super().shutdown(sockets)


class Workers(Multiprocess):
    """The parent of several processes that serve."""

    def terminate_all(self) -> None:
        """Let the workers accept for a moment more, then have them finish."""
        keep_newcomers_out(self.sockets)
        time.sleep(_ACCEPT_TIME)
        super().terminate_all()


def serve(  # noqa: PLR0913 — each is a decision of the operator's, given by name
    app: str,
    *,
    host: str,
    port: int,
    management: tuple[str, int] | None = None,
    limits: ConnectionLimits,
    refuse: Refuse,
    workers: int = 1,
    reload: bool = False,
) -> None:
    """Serve until told to stop, on the host and port of those who watch as well.

    The application is made by a factory, named as module:function, in each process. A refusal
    that never reaches it is written by what refuse returns, a function of a module, too.
    Raise CannotListen, and SystemExit if the application does not start.
    """
    within = limits.within_open_files()
    protocol = partial(HttpProtocol, limits=within, usage=Usage(), refuse=refuse)
    config = uvicorn.Config(
        app,
        factory=True,
        http=cast("type[asyncio.Protocol]", protocol),  # it is called for each connection
        ws="none",
        lifespan="on",
        workers=workers,
        reload=reload,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_TIMEOUT,
    )
    server = Server(config)
    with suppress(KeyboardInterrupt):
        sockets = bind(host, port)
        if management is not None:
            sockets += bind(*management)
        if reload or workers > 1:
            _log_address(sockets)
        if reload:
            ChangeReload(config, target=server.run, sockets=sockets).run()
        elif workers > 1:
            Workers(config, sockets=sockets).run()
        else:
            server.run(sockets=sockets)
    if not server.started and workers == 1 and not reload:
        sys.exit(STARTUP_FAILURE)


def _log_address(sockets: Sequence[socket]) -> None:
    host, port, *_ = sockets[0].getsockname()
    _log.info("Serving on http://%s:%d", f"[{host}]" if ":" in host else host, port)
