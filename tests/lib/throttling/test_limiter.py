"""The limiter: attempts are counted while there is room."""

import pytest
from sqlalchemy import func, select

from gql_app.db.tables import ThrottleRow
from gql_app.lib.database import Database, Transaction
from gql_app.lib.throttling import Limit, Limiter
from tests.lib.throttling.test_counters import ADA, BOB, COUNTERS
from tests.rows import value


class Refused(Exception):
    """There is no room."""


class Few(Limiter):
    """A limiter that refuses in its own way."""

    counters = COUNTERS
    window = 60

    def refusal(self, limit: Limit, seconds: int) -> Refused:
        """Return the limit's name and the seconds."""
        return Refused(limit.name, seconds)


LIMITER = Few()


async def give(db: Transaction, answer: int, *, times: int) -> int:
    """Return a product, as a rule might."""
    assert db.dialect
    return answer * times


async def limited(database: Database, *limits: Limit) -> int:
    """Run a rule that counts as an attempt."""
    async with database.transaction() as db:
        return await LIMITER.limited(db, limits, give, 21, times=2)


async def test_rule_runs_while_there_is_room_and_is_refused_then(database: Database) -> None:
    assert [await limited(database, ADA) for _ in range(3)] == [42] * 3
    with pytest.raises(Refused, match="tries"):
        await limited(database, BOB, ADA)
    with pytest.raises(Refused, match="tries"):
        await LIMITER.require_room(database, ADA)
    await LIMITER.require_room(database, BOB)
    assert await COUNTERS.find(database, ["bob"]) == {}


async def test_what_is_given_back_or_cleared_makes_room_again(database: Database) -> None:
    for _ in range(3):
        await limited(database, ADA)
    async with database.transaction() as db:
        await LIMITER.give_back(db, ADA)
    assert await limited(database, ADA) == 42
    async with database.transaction() as db:
        await LIMITER.clear(db)
        await LIMITER.clear(db, ADA, BOB)
        assert await LIMITER.purge(db, batch=10) == 0
    assert await value(database, select(func.count()).select_from(ThrottleRow)) == 0
