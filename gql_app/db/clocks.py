"""Whether this machine and the database agree on the time."""

from datetime import timedelta

from sqlalchemy import func, select

from gql_app import clock
from gql_app.db.engine import Reader


async def skew(db: Reader) -> timedelta:
    """Tell how far the database's clock is ahead of ours, but for the way there and back.

    An SQLite file has no clock of its own.
    """
    if db.get_bind().dialect.name == "sqlite":
        return timedelta()
    asked = clock.now()
    theirs = (await db.execute(select(func.clock_timestamp()))).scalar_one()
    answered = clock.now()
    difference: timedelta = theirs - (asked + (answered - asked) / 2)
    return difference
