"""Listening: the ports that a server opens, and the processes that answer there."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import socket
from tempfile import TemporaryDirectory

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload, Multiprocess

from gql_app.errors import CannotStart
from gql_app.settings import PREFIX, SHARED_NUMBERS, Settings


def listen(config: uvicorn.Config, settings: Settings) -> None:
    """Serve until told to stop, as uvicorn.run would, on the port of those who watch as well.

    Raises CannotStart.
    """
    if settings.management_port == config.port:
        raise CannotStart([f"{PREFIX}MANAGEMENT_PORT: is the port that is served already"])
    server = uvicorn.Server(config)
    several = config.workers > 1 and not config.should_reload
    with suppress(KeyboardInterrupt), _numbers_shared(several):
        sockets = _bound(config, settings)
        if config.should_reload:
            ChangeReload(config, target=server.run, sockets=sockets).run()
        elif several:
            Multiprocess(config, sockets=sockets).run()
        else:
            server.run(sockets=sockets or None)
    if not server.started and not several and not config.should_reload:
        sys.exit(STARTUP_FAILURE)


def _bound(config: uvicorn.Config, settings: Settings) -> list[socket]:
    """Bind what processes share; a single one binds its only port by itself, for any family."""
    port = settings.management_port
    if port is None:
        return [config.bind_socket()] if config.should_reload or config.workers > 1 else []
    watching = uvicorn.Config(
        config.app, host=settings.management_host, port=port, log_config=None, workers=1
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
