"""Servers with limits that tests can reach; tests that share a server have its mark."""

from collections.abc import Iterator

import pytest

from tests.processes import Server, serving

MAX_HEADER_BYTES = 2_000
MAX_BODY_BYTES = 5_000
MAX_CONNECTIONS = 20


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with low limits."""
    folder = tmp_path_factory.mktemp("narrow")
    with serving(
        folder=folder,
        max_header_bytes=str(MAX_HEADER_BYTES),
        max_body_bytes=str(MAX_BODY_BYTES),
        max_connections=str(MAX_CONNECTIONS),
    ) as server:
        yield server


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with a time-out of a second, behind a proxy on this machine."""
    folder = tmp_path_factory.mktemp("hasty")
    with serving(folder=folder, receive_timeout="1", trusted_proxies="127.0.0.1") as server:
        yield server
