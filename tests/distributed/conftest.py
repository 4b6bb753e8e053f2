"""Fixture of the cluster for the tests of distribution itself."""

from collections.abc import Iterator

import pytest

from tests.distributed.cluster import Cluster


@pytest.fixture
def citus(postgres: Cluster) -> Iterator[Cluster]:
    """Yield the cluster's database, migrated but not distributed; it is distributed at the end."""
    postgres.clear()
    postgres.migrate()
    yield postgres
    postgres.clear()
    postgres.migrate()
    postgres.distribute()
