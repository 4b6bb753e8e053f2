"""The server that all examples are tried with."""

from collections.abc import Iterator

import pytest

from tests.examples.driving import ORIGIN, SECRET
from tests.processes import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a demo whose secret is known, for the pages of one origin."""
    folder = tmp_path_factory.mktemp("examples")
    settings = {"secret_key": SECRET, "allowed_origins": ORIGIN}
    with serving("--demo", folder=folder, **settings) as server:
        yield server
