"""A primary and its synchronous standby: when one is lost, the other takes over."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clusters import Cluster, folder, running_cluster
from tests.conftest import SECRET
from tests.faults.load import OK, UNAVAILABLE, load_on, people_of, stored
from tests.processes import Server, output_of, serving

RECOVERY = 10
"""Seconds within which everybody is served again."""

pytestmark = pytest.mark.xdist_group("cluster")


@pytest.fixture
def pair() -> Iterator[tuple[Cluster, Cluster]]:
    """Run a primary and a standby that it waits for."""
    with folder() as place, running_cluster(place) as primary:
        standby = Cluster(place / "standby")
        try:
            standby.copy_in_step(primary)
            yield primary, standby
        finally:
            standby.kill()


async def test_standby_that_is_promoted_is_served_and_holds_what_was_acknowledged(
    pair: tuple[Cluster, Cluster], tmp_path: Path
) -> None:
    primary, standby = pair
    both = f"postgresql://postgres@{standby.host},{primary.host}/postgres"
    settings = {
        "database_url": f"{both}?target_session_attrs=read-write",
        "secret_key": SECRET,
        "refresh_grace_seconds": "3600",
        "account_writes_per_hour": "1000000",
    }

    def serve() -> Server:
        return stack.enter_context(serving(folder=tmp_path, **settings))

    with ExitStack() as stack:
        first, second = serve(), serve()
        some, others = await people_of(primary.url), await people_of(primary.url)
        async with load_on(first, some) as one, load_on(second, others) as other:
            await asyncio.to_thread(primary.kill)
            await asyncio.gather(one.everybody(UNAVAILABLE), other.everybody(UNAVAILABLE))
            await asyncio.to_thread(standby.promote)
            async with asyncio.timeout(RECOVERY):
                await asyncio.gather(one.everybody(OK), other.everybody(OK))
        assert one.codes == other.codes == {OK, UNAVAILABLE}
        assert one.acknowledged | other.acknowledged <= await stored(standby.url)
    assert "up to date" in output_of("migrate", folder=tmp_path, **settings)
