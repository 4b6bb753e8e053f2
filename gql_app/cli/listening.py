"""Listening: the ports that a server opens, and the processes that answer there."""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EADDRNOTAVAIL, EAFNOSUPPORT
from functools import partial
from socket import (
    AF_INET6,
    AI_PASSIVE,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_REUSEADDR,
    SOCK_STREAM,
    SOL_SOCKET,
    getaddrinfo,
    socket,
)
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload, Multiprocess

from gql_app.errors import CannotStart
from gql_app.settings import PREFIX, SHARED_NUMBERS, Settings
from gql_app.web.bounds import Bounds, Usage
from gql_app.web.listening import keep_newcomers_out
from gql_app.web.wire import Wire

_log: Final = logging.getLogger(__name__)
GRACE: Final = 20
"""Seconds that requests have to finish when the server is told to stop."""


def listen(chosen: Settings, host: str, port: int, workers: int, *, reload: bool) -> None:
    """Serve until told to stop, as uvicorn.run does, on the port of those who watch as well.

    Raises CannotStart.
    """
    if chosen.management_port == port:
        raise CannotStart([f"{PREFIX}MANAGEMENT_PORT: is the port that is served already"])
    config = _config(chosen, host, port, workers, reload=reload)
    server = Server(config)
    several = workers > 1 and not reload
    with suppress(KeyboardInterrupt), _numbers_shared(several):
        sockets = bind(host, port)
        if chosen.management_port is not None:
            sockets += bind(chosen.management_host, chosen.management_port)
        if several or reload:
            _say(sockets)
        if reload:
            ChangeReload(config, target=server.run, sockets=sockets).run()
        elif several:
            Workers(config, sockets=sockets).run()
        else:
            server.run(sockets=sockets)
    if not server.started and not several and not reload:
        sys.exit(STARTUP_FAILURE)


class Server(uvicorn.Server):
    """A single process that serves, and says so."""

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        if self.started and sockets:
            _say(sockets)


class Workers(Multiprocess):
    """The parent of the processes that serve, when there are several."""

    def terminate_all(self) -> None:
        """Have all of them finish, once nobody new gets in."""
        for listener in self.sockets:
            keep_newcomers_out(listener)
        super().terminate_all()


def bind(host: str, port: int) -> list[socket]:
    """Return a socket for each address of a host; :: is every address, of IPv4 as well.

    Raises CannotStart.
    """
    sockets: list[socket] = []
    fault: OSError | None = None
    try:
        found = getaddrinfo(host or None, port, type=SOCK_STREAM, flags=AI_PASSIVE)
    except OSError as why:
        found, fault = [], why
    for family, _, _, _, address in found:
        free = sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(_bind(family, (str(address[0]), free, *address[2:])))
        except OSError as why:
            fault = why
            if why.errno not in {EADDRNOTAVAIL, EAFNOSUPPORT}:  # a name may be IPv6's, too
                break
    else:
        if sockets:
            return sockets
    for each in sockets:
        each.close()
    raise CannotStart([f"{host}, port {port}: can't be listened on: {fault and fault.strerror}"])


def _say(sockets: Sequence[socket]) -> None:
    """Log where it is served."""
    host, port, *_ = sockets[0].getsockname()
    _log.info("Serving on http://%s:%d", f"[{host}]" if ":" in host else host, port)


def _bind(family: int, address: tuple[Any, ...]) -> socket:
    bound = socket(family, SOCK_STREAM)
    bound.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    if family == AF_INET6:
        bound.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, address[0] != "::")
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    bound.set_inheritable(True)
    return bound


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
        "gql_app.cli.demo:create_app" if chosen.demo else "gql_app.app:create_app",
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
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )


def _wire(chosen: Settings) -> type[asyncio.Protocol]:
    """Bound each connection: uvicorn calls what it takes for a class, in every worker."""
    return cast("type[asyncio.Protocol]", partial(Wire, bounds=Bounds.of(chosen), usage=Usage()))
