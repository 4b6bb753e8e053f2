"""Limits that tests fill at once, without as many attempts."""

from gql_app import clock
from gql_app.accounts.limits import Limit
from gql_app.db.engine import Database
from gql_app.db.rows import insert_or_update
from gql_app.db.tables import ThrottleRow


async def fill(database: Database, *limits: Limit, but: int = 0) -> None:
    """Count as many attempts as there is room for, but for a few, as if they were made just now."""
    now = clock.now()
    async with database.write() as db:
        for limit in limits:
            times = [now.timestamp()] * (limit.attempts - but)
            values = {"subject": limit.subject, "times": times, "updated_at": now}
            await insert_or_update(db, ThrottleRow, **values)
