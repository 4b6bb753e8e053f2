"""The server that all examples are tried with."""

from collections.abc import Iterator

import pytest

from tests.examples.driving import SECRET
from tests.processes import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a demo whose secret is known."""
    folder = tmp_path_factory.mktemp("examples")
    with serving("--demo", folder=folder, secret_key=SECRET) as server:
        yield server
