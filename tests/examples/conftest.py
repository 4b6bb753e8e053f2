"""Fixture of the server that all examples are tested with."""

from collections.abc import Iterator

import pytest

from tests.examples.driving import EXAMPLES, ORIGIN, SECRET, drivers
from tests.processes import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a demo with a known secret, for the pages of one origin."""
    built = EXAMPLES / "typescript/dist/main.js"
    assert built.exists(), "make test installs what the examples need, and builds them"
    folder = tmp_path_factory.mktemp("examples")
    settings = {"secret_key": SECRET, "allowed_origins": ORIGIN}
    with serving("--demo", folder=folder, **settings) as server, drivers(folder):
        yield server
