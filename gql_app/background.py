"""What a server does beside answering: letters leave, and what is long over goes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, Protocol

import structlog

from gql_app.accounts import audit, known_clients, outbox, sessions
from gql_app.accounts.outbox import Claimed
from gql_app.db.engine import Writer
from gql_app.errors import Unavailable
from gql_app.lib.outbox.mailer import SEND_TIMEOUT, Letter, Undeliverable, Unencrypted
from gql_app.resources import Resources

LETTER_INTERVAL: Final = 2
"""Seconds after which letters are looked for that another process left, or that wait."""
GUESS_INTERVAL: Final = 5
"""Seconds after which guesses are looked for that the audit is told of by their number."""
PURGE_INTERVAL: Final = 3600
"""Seconds from one purge to the next."""
LONGEST_PAUSE: Final = 60
"""Seconds that a chore that fails waits at most, unless it is done less often anyway."""
LAST_WORDS: Final = 2
"""Seconds in which a process that stops tells the audit what it has counted still."""
SAMPLE_INTERVAL: Final = 2
"""Seconds by which the numbers of a process may be old that another one tells."""
PURGE_BATCH: Final = 500
"""Rows that one transaction deletes, so that nobody waits long for it."""


class _Purge(Protocol):
    """Deletes some of what is long over, and tells how much."""

    async def __call__(self, db: Writer, *, batch: int) -> int:
        """Delete at most a batch."""


_log: Final = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def running(resources: Resources) -> AsyncIterator[None]:
    """Do the chores for as long as the block lasts; what is in hand then is finished.

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
        _, late = await asyncio.wait(tasks, timeout=SEND_TIMEOUT)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _tell_the_last(resources)


async def deliver(resources: Resources) -> int:
    """Send every letter that is due, and tell how many left."""
    count = 0
    while await _due(resources) and (claimed := await _claim(resources)).found_any:
        sending = (_send(resources, letter) for letter in claimed.letters)
        count += sum(await asyncio.gather(*sending))
    return count


async def purge(resources: Resources) -> int:
    """Delete what is long over, in small batches, and tell how much it was."""
    origins = partial(audit.purge, kept=resources.origins_kept)
    each = (sessions.purge, resources.throttle.purge, known_clients.purge, origins)
    return sum([await _purge(resources, some) for some in each])


async def record_guesses(resources: Resources) -> int:
    """Tell the audit of guesses, and return how many events that were."""
    return await resources.guesses.record(resources.database)


async def sample(resources: Resources) -> int:
    """Take down what is in hand at the moment, for whoever watches."""
    resources.sample()
    return 0


async def _every(
    seconds: float,
    resources: Resources,
    chore: Callable[[Resources], Awaitable[int]],
    sooner: asyncio.Event,
    stopping: asyncio.Event,
) -> None:
    """Do a chore again and again; a fault is logged, and the next time may be better.

    While the faults last, the pauses grow, so that the log isn't filled with one of them.
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
        except Exception:  # noqa: BLE001 — a chore goes on whatever befell it
            _log.exception("A chore failed", chore=chore.__name__)
            pause = longer(pause, usual=seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):  # 3.11's wait_for may lose a cancellation
                await sooner.wait()


async def _tell_the_last(resources: Resources) -> None:
    """Tell the audit what was counted still; a server stops whatever comes of it."""
    try:
        async with asyncio.timeout(LAST_WORDS):
            await resources.guesses.record(resources.database, last=True)
    except Exception as error:  # noqa: BLE001 — see above
        _log.warning("The audit was not told of the last guesses", why=type(error).__name__)


def longer(pause: float, *, usual: float) -> float:
    """Tell how long a chore waits that failed after a pause: twice that, within reason."""
    return max(usual, min(2 * pause, LONGEST_PAUSE))


async def _due(resources: Resources) -> bool:
    """Look before taking the lock that a writer takes, for most often there is nothing."""
    async with resources.database.read() as db:
        return await outbox.due(db)


async def _claim(resources: Resources) -> Claimed:
    claimed = await resources.database.transact(outbox.claim, resources.stationery)
    if claimed.withheld:
        _log.warning("Letters beyond the limit of their recipients", count=claimed.withheld)
        for _ in range(claimed.withheld):
            resources.metrics.throttled("letter")
    return claimed


async def _send(resources: Resources, letter: Letter) -> bool:
    try:
        async with asyncio.timeout(SEND_TIMEOUT):
            await resources.mailer.send(letter)
    except Undeliverable as why:
        _log.warning("A letter was refused for good", letter=letter.id, why=str(why))
    except Exception as error:  # noqa: BLE001 — whatever a mail server does, the letter waits
        cause = str(error) if isinstance(error, Unencrypted) else type(error).__name__
        waits = await resources.database.transact(outbox.postpone, letter, resources.stationery)
        event = "A letter has to wait" if waits else "A letter was given up after a day"
        _log.warning(event, letter=letter.id, why=cause)
        return False
    await resources.database.transact(outbox.sent, letter)
    return True


async def _purge(resources: Resources, some: _Purge) -> int:
    total = 0
    while True:
        count = await resources.database.transact(some, batch=PURGE_BATCH)
        total += count
        if count < PURGE_BATCH:
            return total
