"""The clock of the database, and how far it is ahead of this machine's."""

from datetime import timedelta
from typing import Final

from sqlalchemy import func, select

from gql_app.lib import clock
from gql_app.lib.database.database import Database
from gql_app.lib.database.statements import Query
from gql_app.lib.database.types import Moment

_DATABASE_TIME: Final = Query(select(func.clock_timestamp(type_=Moment)), tuple)


async def clock_skew(database: Database) -> timedelta:
    """Return how far the database's clock is ahead of ours, less the time of the round trip.

    An SQLite file has no clock of its own. Raise Unavailable.
    """
    if database.dialect == "sqlite":
        return timedelta()
    asked = clock.now()
    [(theirs,)] = await database.fetch_all(_DATABASE_TIME)
    answered = clock.now()
    difference: timedelta = theirs - (asked + (answered - asked) / 2)
    return difference
