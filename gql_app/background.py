"""Background tasks: sending letters, purging, recording guesses, watching, sampling metrics."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from functools import partial
from typing import Final

from gql_app.accounts import addresses, audit, sessions
from gql_app.accounts.factors import challenges
from gql_app.accounts.mail import registrations
from gql_app.factors import codes, passkeys, stored_secrets
from gql_app.lib import outbox, periodic
from gql_app.lib.outbox import Outcome
from gql_app.lib.periodic import PeriodicTask
from gql_app.lib.telemetry import get_logger
from gql_app.mail.outbox import QUEUE
from gql_app.resources import Resources

LETTER_INTERVAL: Final = 2
"""Seconds between two polls of the outbox, for retries and for letters of other processes."""
GUESS_INTERVAL: Final = 5
"""Seconds between two recordings of the guesses that were counted."""
PURGE_DELAY: Final = 30
"""Seconds from the start of a process to its first purge, so that it delays no first request."""
PURGE_INTERVAL: Final = 3600
"""Seconds between two purges."""
SAMPLE_INTERVAL: Final = 2
"""Seconds between two samples: the greatest age of the gauges that another process exposes."""
WATCH_INTERVAL: Final = 2
"""Seconds between two checks of the database; requests are refused while it does not answer."""
LAST_RECORD_TIMEOUT: Final = 2
"""Seconds that a stopping process has to record the guesses it has counted."""
PURGE_BATCH: Final = 500
"""The most rows that one transaction deletes, so that others do not wait long for its locks."""
_Purge = Callable[..., Awaitable[int]]
"""Deletes at most a batch of rows past their retention; returns their number."""
_log: Final = get_logger(__name__)


@asynccontextmanager
async def running(resources: Resources) -> AsyncIterator[None]:
    """Run the background tasks during the block, and let them finish their work at its end.

    A letter that the mail server has accepted would be sent again if that were not recorded.
    Tasks that need the database begin when it is usable; its first check precedes any request.
    """
    is_ready = (await resources.watch.condition()).ready
    posted, guessed = resources.posted, resources.guesses.first
    record = partial(resources.guesses.record, resources.database)
    renew = partial(stored_secrets.renew, resources.database, resources.encryption)
    tasks = [
        PeriodicTask(
            "deliver",
            partial(deliver, resources),
            LETTER_INTERVAL,
            wake=posted,
            delay=LETTER_INTERVAL,
        ),
        PeriodicTask("purge", partial(purge, resources), PURGE_INTERVAL, delay=PURGE_DELAY),
        PeriodicTask("renew_secrets", renew, PURGE_INTERVAL),
        PeriodicTask("record_guesses", record, GUESS_INTERVAL, wake=guessed),
    ]
    always = [
        PeriodicTask("sample", resources.sample, SAMPLE_INTERVAL),
        PeriodicTask("watch", resources.condition.get, WATCH_INTERVAL, delay=WATCH_INTERVAL),
    ]
    waiting = None if is_ready else _until_ready(resources)
    try:
        async with (
            periodic.running(always, grace=0),
            periodic.running(tasks, grace=outbox.SEND_TIMEOUT, after=waiting),
            resources.hooks.running(resources) if resources.hooks else nullcontext(),
            resources.standby.watching() if resources.standby else nullcontext(),
        ):
            yield
    finally:
        await _record_last_guesses(resources)


async def _until_ready(resources: Resources) -> None:
    """Check the database until it can be used, and log that."""
    while not (await resources.condition.get()).ready:  # noqa: ASYNC110 — a database sends no event
        await asyncio.sleep(WATCH_INTERVAL)
    _log.info("The database can be used")


async def deliver(resources: Resources) -> int:
    """Send every letter that is due; return how many were."""

    def count(outcome: Outcome, number: int) -> None:
        resources.metrics.letters[outcome].inc(number)
        if outcome is Outcome.WITHHELD:
            resources.metrics.throttled["letter_recipient"].inc(number)

    return await outbox.deliver(
        resources.database, QUEUE, resources.outbox, resources.mailer, on_outcome=count
    )


async def purge(resources: Resources) -> int:
    """Delete rows past their retention, in small batches; return how many rows were deleted.

    Batches are smaller while another process purges, too.
    """
    rules: list[_Purge] = [sessions.purge, resources.throttle.purge, sessions.purge_clients]
    rules += [registrations.purge, addresses.purge, challenges.purge]
    rules += [codes.purge, passkeys.purge]
    origins_kept = timedelta(days=resources.settings.audit_origin_days)
    rules += [partial(audit.purge, kept=origins_kept)]
    total = 0
    for rule in rules:
        while count := await resources.database.transact(rule, batch=PURGE_BATCH):
            total += count
    return total


async def _record_last_guesses(resources: Resources) -> None:
    """Record the guesses that were counted, but not recorded yet; a failure is only logged."""
    try:
        async with asyncio.timeout(LAST_RECORD_TIMEOUT):
            await resources.guesses.record(resources.database, last=True)
    except Exception as error:  # noqa: BLE001 — a server stops all the same
        _log.warning("The audit was not told of the last guesses", why=type(error).__name__)
