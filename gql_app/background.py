"""What a server does beside answering: letters leave, and what is long over is deleted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Protocol

import structlog

from gql_app.accounts import audit, sessions
from gql_app.lib import outbox, periodic
from gql_app.lib.database import Transaction
from gql_app.lib.periodic import PeriodicTask
from gql_app.resources import Resources

LETTER_INTERVAL: Final = 2
"""Seconds after which letters are looked for that another process left, or that wait."""
GUESS_INTERVAL: Final = 5
"""Seconds after which guesses are looked for that are recorded by their number."""
PURGE_INTERVAL: Final = 3600
"""Seconds from one purge to the next."""
LAST_RECORD_TIMEOUT: Final = 2
"""Seconds in which a process that stops records the guesses that it has counted still."""
SAMPLE_INTERVAL: Final = 2
"""Seconds by which the numbers of a process may be old that another one tells."""
PURGE_BATCH: Final = 500
"""Rows that one transaction deletes, so that nobody waits long for it."""


class _Purge(Protocol):
    """Deletes some of what is long over, and returns how much."""

    async def __call__(self, db: Transaction, *, batch: int) -> int:
        """Delete at most a batch."""


_log: Final = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def running(resources: Resources) -> AsyncIterator[None]:
    """Run the tasks for as long as the block lasts; what they are at then is finished.

    A letter that the mail server has taken would be sent again if nobody noted it.
    """
    posted, guessed = resources.posted, resources.guesses.first
    tasks = [
        PeriodicTask("deliver", partial(deliver, resources), LETTER_INTERVAL, posted),
        PeriodicTask("purge", partial(purge, resources), PURGE_INTERVAL),
        PeriodicTask("sample", partial(sample, resources), SAMPLE_INTERVAL),
        PeriodicTask("record_guesses", partial(record_guesses, resources), GUESS_INTERVAL, guessed),
    ]
    try:
        async with periodic.running(tasks, grace=outbox.SEND_TIMEOUT):
            yield
    finally:
        await _record_last_guesses(resources)


async def deliver(resources: Resources) -> int:
    """Send every letter that is due; return how many left."""

    def count(withheld: int) -> None:
        for _ in range(withheld):
            resources.metrics.throttled("letter")

    return await outbox.deliver(
        resources.database, resources.outbox, resources.mailer, on_withheld=count
    )


async def purge(resources: Resources) -> int:
    """Delete what is long over, in small batches; return how much it was."""
    origins = partial(audit.purge, kept=resources.origins_kept)
    each = (sessions.purge, resources.throttle.purge, sessions.purge_clients, origins)
    return sum([await _purge(resources, some) for some in each])


async def record_guesses(resources: Resources) -> int:
    """Record the guesses that are due in the audit; return how many events they are."""
    return await resources.guesses.record(resources.database)


async def sample(resources: Resources) -> None:
    """Set the metrics of what is in use at the moment."""
    resources.sample()


async def _record_last_guesses(resources: Resources) -> None:
    """Record what was counted still; a server stops whatever comes of it."""
    try:
        async with asyncio.timeout(LAST_RECORD_TIMEOUT):
            await resources.guesses.record(resources.database, last=True)
    except Exception as error:  # noqa: BLE001 — see above
        _log.warning("The audit was not told of the last guesses", why=type(error).__name__)


async def _purge(resources: Resources, some: _Purge) -> int:
    total = 0
    while True:
        count = await resources.database.transact(some, batch=PURGE_BATCH)
        total += count
        if count < PURGE_BATCH:
            return total
