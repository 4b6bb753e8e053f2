"""What a server does beside answering: letters leave, and what is long over is deleted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, Protocol

import structlog

from gql_app.accounts import audit, sessions
from gql_app.errors import Unavailable
from gql_app.lib import outbox
from gql_app.lib.database import Transaction
from gql_app.resources import Resources

LETTER_INTERVAL: Final = 2
"""Seconds after which letters are looked for that another process left, or that wait."""
GUESS_INTERVAL: Final = 5
"""Seconds after which guesses are looked for that are recorded by their number."""
PURGE_INTERVAL: Final = 3600
"""Seconds from one purge to the next."""
LONGEST_PAUSE: Final = 60
"""Seconds that a task which fails waits at most, unless its interval is longer."""
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
    stopping, purged, sampled = asyncio.Event(), asyncio.Event(), asyncio.Event()
    tasks = [
        asyncio.create_task(
            _every(LETTER_INTERVAL, resources, deliver, resources.posted, stopping)
        ),
        asyncio.create_task(_every(PURGE_INTERVAL, resources, purge, purged, stopping)),
        asyncio.create_task(_every(SAMPLE_INTERVAL, resources, sample, sampled, stopping)),
        asyncio.create_task(
            _every(GUESS_INTERVAL, resources, record_guesses, resources.guesses.first, stopping)
        ),
    ]
    try:
        yield
    finally:
        for event in (stopping, purged, sampled, resources.posted, resources.guesses.first):
            event.set()
        _, late = await asyncio.wait(tasks, timeout=outbox.SEND_TIMEOUT)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
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


async def sample(resources: Resources) -> int:
    """Set the metrics of what is in use at the moment."""
    resources.sample()
    return 0


async def _every(
    seconds: float,
    resources: Resources,
    chore: Callable[[Resources], Awaitable[int]],
    sooner: asyncio.Event,
    stopping: asyncio.Event,
) -> None:
    """Run a task again and again; an error is logged, and the next time may be better.

    While errors last, the pauses grow, so that the log isn't filled with one of them.
    """
    pause = seconds
    while not stopping.is_set():
        sooner.clear()
        try:
            await chore(resources)
            pause = seconds
        except Unavailable as why:
            _log.warning("A chore has to wait", chore=chore.__name__, why=why.cause)
            pause = longer(pause, usual=seconds)
        except Exception:  # noqa: BLE001 — a task goes on whatever befell it
            _log.exception("A chore failed", chore=chore.__name__)
            pause = longer(pause, usual=seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):  # 3.11's wait_for may lose a cancellation
                await sooner.wait()


async def _record_last_guesses(resources: Resources) -> None:
    """Record what was counted still; a server stops whatever comes of it."""
    try:
        async with asyncio.timeout(LAST_RECORD_TIMEOUT):
            await resources.guesses.record(resources.database, last=True)
    except Exception as error:  # noqa: BLE001 — see above
        _log.warning("The audit was not told of the last guesses", why=type(error).__name__)


def longer(pause: float, *, usual: float) -> float:
    """Return the seconds that a task waits after it failed: twice the last pause, within reason."""
    return max(usual, min(2 * pause, LONGEST_PAUSE))


async def _purge(resources: Resources, some: _Purge) -> int:
    total = 0
    while True:
        count = await resources.database.transact(some, batch=PURGE_BATCH)
        total += count
        if count < PURGE_BATCH:
            return total
