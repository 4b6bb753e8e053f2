"""Serving: one process or several workers, and a graceful stop that resets no connection."""

import asyncio
import atexit
import ctypes
import gc
import logging
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EADDRNOTAVAIL, EAFNOSUPPORT
from functools import cached_property, partial
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, Final, NoReturn, cast

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload, multiprocess

from gql_app.lib.faults import CannotStart
from gql_app.lib.server.balancing import Acceptor, Shares
from gql_app.lib.server.connection import ConnectionLimits, Usage
from gql_app.lib.server.protocol import HttpProtocol

_log: Final = logging.getLogger(__name__)
GC_THRESHOLD: Final = 5_000
"""Allocations, less deallocations, after which the garbage collector runs."""
GRACEFUL_TIMEOUT: Final = 20
"""Seconds that requests have to finish when the server stops."""
START_TIMEOUT: Final = 20
"""Seconds that a replacement worker has to start."""
_ACCEPT_TIME: Final = 0.25
"""Seconds for which a stopping server accepts connections from the kernel's queue."""
_ACCEPT_TURNS: Final = 5
"""Turns of the event loop in that time, however late they come on a busy machine."""

_DROP_SYN: Final = (
    (0x30, 0, 0, 13),  # load the flags of the TCP header
    (0x45, 0, 1, 0x02),  # is SYN among them?
    (0x06, 0, 0, 0),  # then drop it
    (0x06, 0, 0, 0xFFFF),  # otherwise accept it
)
"""A packet filter (bpf(4)): code, jump if true, jump if false, operand."""
_SO_ATTACH_FILTER: Final = 26


class Config(uvicorn.Config):
    """The configuration of one process; a worker ends with its parent."""

    shares: Shares | None = None
    """The number of connections of each worker; None for a single process."""

    def load(self) -> None:
        """Load the application, in the process that serves it.

        Its modules live as long as the process. No object is collected when that exits: Python
        would collect all of them several times, for half a second.
        """
        atexit.register(gc.freeze)
        gc.disable()
        try:
            super().load()
        finally:
            gc.freeze()
            gc.enable()
        if (parent := parent_process()) is not None:
            threading.Thread(target=_end_after, args=[parent], daemon=True).start()


class Server(uvicorn.Server):
    """The server of one process."""

    config: Config

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop, and exit with status 0.

        A process that dies of the signal would not run its exit handlers, which write the last
        lines of the log.
        """
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _exit)
        super().run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving: a worker accepts by Acceptors, any other process logs its address."""
        shares = self.config.shares
        await super().startup(sockets if shares is None else [])
        if shares is not None:
            shares.join()
            acceptors = [self._acceptor(each, shares) for each in sockets or []]
            self.servers += cast("list[asyncio.Server]", acceptors)  # closed like those
        elif self.started and sockets and (parent_process() is None or self.config.reload):
            _log_address(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Publish how many connections are open, ten times a second."""
        if self.config.shares is not None:
            self.config.shares.publish(len(self.server_state.connections))
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept what is in the kernel's queue, then finish the requests that have arrived."""
        if parent_process() is None:  # sockets that are shared are the parent's to close
            _drop_new_connections(sockets or [])
            for _ in range(_ACCEPT_TURNS):  # each accepts all that are in the queue by then
                await asyncio.sleep(_ACCEPT_TIME / _ACCEPT_TURNS)
        await super().shutdown(sockets)
        if self.config.shares is not None:
            self.config.shares.leave()

    def _acceptor(self, listener: socket.socket, shares: Shares) -> Acceptor:
        protocol = partial(
            cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        backlog, connections = self.config.backlog, self.server_state.connections
        return Acceptor(listener, backlog, protocol, shares, connections)


class Worker(multiprocess.Process):
    """One of several processes that serve the same sockets."""

    @cached_property
    def server(self) -> Server:
        """The server of this process."""
        return Server(self.config)

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, in the worker's process; the thread for the health check needs the same server."""
        _ = self.server
        super().target(sockets)


multiprocess.Process = Worker  # type: ignore[misc]  # the only way to set what the parent starts


class Workers(multiprocess.Multiprocess):
    """The parent process of the workers."""

    _is_serving = False

    def keep_subprocess_alive(self) -> None:
        """Replace workers that ended or hang, and log the address once the first has started."""
        super().keep_subprocess_alive()
        timeout = self.config.timeout_worker_healthcheck
        if not self._is_serving and any(
            each.process.is_alive() and each.is_ready(timeout) for each in self.processes
        ):
            self._is_serving = True
            _log_address(self.sockets)

    def restart_all(self) -> None:
        """Replace the workers one by one, with a longer time-out to start than for a health check.

        On a busy machine its five seconds are too few, and the old workers would be kept.
        """
        usual = self.config.timeout_worker_healthcheck
        self.config.timeout_worker_healthcheck = START_TIMEOUT
        try:
            super().restart_all()
        finally:
            self.config.timeout_worker_healthcheck = usual

    def terminate_all(self) -> None:
        """Let the workers accept what is in the kernel's queue, then stop them."""
        _drop_new_connections(self.sockets)
        time.sleep(_ACCEPT_TIME)
        super().terminate_all()


def serve(  # noqa: PLR0913 — each is a decision of the operator's, given by name
    app: str,
    *,
    host: str,
    port: int,
    management: tuple[str, int] | None = None,
    limits: ConnectionLimits,
    refuse: str,
    workers: int = 1,
    reload: bool = False,
) -> None:
    """Serve until told to stop, on a management host and port as well, if given.

    `app` is a factory of the application, called in each process; `refuse` returns, of a status, a
    sentence and headers, the application that answers a request refused before it reaches `app`.
    Both are named as module:function, and imported where they are needed.
    Raise CannotStart, and SystemExit if the application does not start.
    """
    within = limits.within_open_files()
    protocol = partial(HttpProtocol, limits=within, usage=Usage(), refuse=refuse)
    config = Config(
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
        if reload:
            ChangeReload(config, target=server.run, sockets=sockets).run()
        elif workers > 1:
            config.shares = Shares(workers)
            Workers(config, sockets=sockets).run()
        else:
            server.run(sockets=sockets)
    if not server.started and workers == 1 and not reload:
        sys.exit(STARTUP_FAILURE)


def _exit(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending already
    sys.exit()


def _end_after(parent: BaseProcess) -> None:
    """Stop this process when the parent is gone, because nothing else would."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _log_address(sockets: Sequence[socket.socket]) -> None:
    host, port, *_ = sockets[0].getsockname()
    _log.info("Serving on http://%s:%d", f"[{host}]" if ":" in host else host, port)


def bind(host: str, port: int) -> list[socket.socket]:
    """Return a bound socket for each address of a host; :: is every address, of IPv4 as well.

    Raise CannotStart.
    """
    sockets: list[socket.socket] = []
    reason: str | None = None
    kind, flags = socket.SOCK_STREAM, socket.AI_PASSIVE
    try:
        for family, *_, address in socket.getaddrinfo(host or None, port, type=kind, flags=flags):
            free = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(_bind(family, (str(address[0]), free, *address[2:])))
            except OSError as why:
                if why.errno not in {EADDRNOTAVAIL, EAFNOSUPPORT}:  # the machine may lack IPv6
                    raise
                reason = why.strerror
    except OSError as why:
        for each in sockets:
            each.close()
        sockets, reason = [], why.strerror
    if not sockets:
        raise CannotStart([f"{host}, port {port}: can't be listened on: {reason}"])
    return sockets


def _bind(family: int, address: tuple[Any, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # on Windows others could listen there as well
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    bound.set_inheritable(True)
    return bound


def _drop_new_connections(sockets: Sequence[socket.socket]) -> None:
    """Drop the SYNs of new connections, so that the kernel's queue can be accepted to its end.

    A connection that is established but not accepted is reset when the socket is closed, with the
    request that it sent. A dropped SYN is sent again, to the server that listens by then. Without
    such filters, as outside Linux, some connections are reset.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in _DROP_SYN))
    attached = struct.pack("@HP", len(_DROP_SYN), ctypes.addressof(program))
    for each in sockets:
        with suppress(OSError):  # a sandbox may not allow it
            each.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attached)


@contextmanager
def tuned_gc() -> Iterator[None]:
    """Run the garbage collector less often in the block, and on new objects only.

    Objects of the start live as long as the process, yet collecting them takes 65 ms, in which no
    request is answered. A page of a list exceeds the usual threshold of 700 several times, and
    is no garbage. Together this takes 5 % of a list's CPU time, not 11 %.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
