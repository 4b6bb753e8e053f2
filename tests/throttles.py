"""Rate limits that tests exhaust at once, without as many attempts."""

from gql_app.db.tables import ThrottleRow
from gql_app.lib import clock
from gql_app.lib.database import Database, upsert
from gql_app.lib.rate_limits import Limit


async def fill(database: Database, *limits: Limit, but: int = 0) -> None:
    """Count as many attempts as the limits allow, minus `but`, as if made just now."""
    now = clock.now()
    async with database.transaction() as db:
        for limit in limits:
            times = [now.timestamp()] * (limit.attempts - but)
            await db.execute(
                upsert(ThrottleRow), subject=limit.subject, times=times, updated_at=now
            )
