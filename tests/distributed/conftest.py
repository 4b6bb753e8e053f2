"""The cluster, as the tests of distribution itself have it."""

from collections.abc import Iterator

import pytest

from tests.distributed.cluster import Cluster


@pytest.fixture
def citus(postgres: Cluster) -> Iterator[Cluster]:
    """Lend the cluster's database, migrated and not distributed; it is distributed in the end."""
    postgres.clear()
    postgres.migrate()
    yield postgres
    postgres.clear()
    postgres.migrate()
    postgres.distribute()
