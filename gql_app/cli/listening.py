"""Listening: what the settings say of the server that answers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from gql_app.errors import CannotStart
from gql_app.lib.network import Networks
from gql_app.lib.server import CannotListen, ConnectionLimits, serve
from gql_app.settings import PREFIX, SHARED_NUMBERS, Settings
from gql_app.web.refusals import refuse


def listen(chosen: Settings, host: str, port: int, workers: int, *, reload: bool) -> None:
    """Serve until told to stop, on the port of those who watch as well. Raise CannotStart."""
    watched = chosen.management_port
    if watched == port:
        raise CannotStart([f"{PREFIX}MANAGEMENT_PORT: is the port that is served already"])
    with _numbers_shared(several=workers > 1 and not reload):
        try:
            serve(
                "gql_app.cli.demo:create_app" if chosen.demo else "gql_app.app:create_app",
                host=host,
                port=port,
                management=None if watched is None else (chosen.management_host, watched),
                limits=_limits(chosen),
                refuse=refuse,
                workers=workers,
                reload=reload,
            )
        except CannotListen as why:
            raise CannotStart([str(why)]) from why


def _limits(chosen: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        connections=chosen.max_connections,
        connections_per_address=chosen.max_connections_per_address,
        timeout=chosen.receive_timeout,
        header_bytes=chosen.max_header_bytes,
        body_bytes=chosen.max_body_bytes,
        pending_body_bytes=max(chosen.max_pending_body_bytes, chosen.max_body_bytes),
        proxies=Networks.of(chosen.trusted_proxies),
        uncounted_port=chosen.management_port,
    )


@contextmanager
def _numbers_shared(*, several: bool) -> Iterator[None]:
    """Have several processes keep the numbers that they count in one private folder."""
    if not several:
        yield
        return
    with TemporaryDirectory(prefix="gql_app-numbers-", ignore_cleanup_errors=True) as folder:
        os.environ[SHARED_NUMBERS] = folder
        yield
