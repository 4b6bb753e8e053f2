"""The clocks of this machine and of the database, and how far they are apart."""

from datetime import timedelta
from typing import Final

from sqlalchemy import func, select

from gql_app.lib import clock
from gql_app.lib.database import Database, Moment, Query

_DATABASE_TIME: Final = Query(select(func.clock_timestamp(type_=Moment)), tuple)


async def skew(database: Database) -> timedelta:
    """Return how far the database's clock is ahead of ours, but for the way there and back.

    An SQLite file has no clock of its own. Raises Unavailable.
    """
    if database.dialect == "sqlite":
        return timedelta()
    asked = clock.now()
    [(theirs,)] = await database.fetch_all(_DATABASE_TIME)
    answered = clock.now()
    difference: timedelta = theirs - (asked + (answered - asked) / 2)
    return difference
