"""Servers whose bounds are small enough to reach; tests that share one bear its mark."""

from collections.abc import Iterator

import pytest

from tests.processes import Server, serving

MAX_HEADER_BYTES = 2_000
MAX_BODY_BYTES = 5_000
MAX_CONNECTIONS = 20


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve where little of anything is taken."""
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
    """Serve where nobody is waited for longer than a second, behind a proxy of this machine."""
    folder = tmp_path_factory.mktemp("hasty")
    with serving(folder=folder, receive_timeout="1", trusted_proxies="127.0.0.1") as server:
        yield server
