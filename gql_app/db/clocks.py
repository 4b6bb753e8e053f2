"""Whether this machine and the database agree on the time."""

from datetime import timedelta
from typing import Final

from sqlalchemy import func, select

from gql_app import clock
from gql_app.db.engine import Database
from gql_app.db.questions import Question
from gql_app.db.tables import Moment

_THEIRS: Final = Question(select(func.clock_timestamp(type_=Moment)), tuple)


async def skew(database: Database) -> timedelta:
    """Tell how far the database's clock is ahead of ours, but for the way there and back.

    An SQLite file has no clock of its own.
    """
    if database.engine.dialect.name == "sqlite":
        return timedelta()
    async with database.read() as db:
        asked = clock.now()
        [(theirs,)] = await db.ask(_THEIRS)
        answered = clock.now()
    difference: timedelta = theirs - (asked + (answered - asked) / 2)
    return difference
