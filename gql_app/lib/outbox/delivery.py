"""Delivery: the letters that are due are claimed, sent side by side, and forgotten or postponed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gql_app.lib.database import Database, Reader, Transaction
from gql_app.lib.outbox.mailer import SEND_TIMEOUT, Letter, Mailer, Undeliverable, Unencrypted
from gql_app.lib.telemetry import get_logger

_log: Final = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    """The letters that were due, and what becomes of each."""

    letters: Sequence[Letter]
    """To be sent now."""
    dropped: int
    """Number of letters that were forgotten, for they had become void."""
    withheld: int
    """Number of letters that were forgotten, for their recipients were sent enough."""

    @property
    def any(self) -> bool:
        """Whether there was any letter, so that there may be more."""
        return bool(self.letters or self.dropped or self.withheld)


class Outbox(Protocol):
    """The application's side: it knows what letters say, and whom they concern."""

    async def due(self, db: Reader) -> bool:
        """Return whether any letter is to be sent by now."""

    async def claim(self, db: Transaction) -> Claimed:
        """Lease letters that are due, and return them written out."""

    async def sent(self, db: Transaction, letter: Letter) -> None:
        """Forget a letter that is on its way, or never will be."""

    async def postpone(self, db: Transaction, letter: Letter) -> bool:
        """Return whether a letter is tried again; if not, it is forgotten."""


async def deliver(
    database: Database,
    outbox: Outbox,
    mailer: Mailer,
    *,
    on_withheld: Callable[[int], object],
) -> int:
    """Send every letter that is due, and return how many left. Raises Unavailable.

    A letter leaves once, unless its process ends between sending it and noting that.
    """
    count = 0
    # To look takes no lock, which a transaction would, and most often there is nothing.
    while await outbox.due(database):
        claimed = await database.transact(outbox.claim)
        if claimed.withheld:
            _log.warning("Letters beyond the limit of their recipients", count=claimed.withheld)
            on_withheld(claimed.withheld)
        sending = (_send(database, outbox, mailer, letter) for letter in claimed.letters)
        count += sum(await asyncio.gather(*sending))
        if not claimed.any:
            break
    return count


async def _send(database: Database, outbox: Outbox, mailer: Mailer, letter: Letter) -> bool:
    try:
        async with asyncio.timeout(SEND_TIMEOUT):
            await mailer.send(letter)
    except Undeliverable as error:
        _log.warning("A letter was refused for good", letter=letter.id, why=str(error))
    except Exception as error:  # noqa: BLE001 — whatever a mail server does, the letter waits
        cause = str(error) if isinstance(error, Unencrypted) else type(error).__name__
        waits = await database.transact(outbox.postpone, letter)
        event = "A letter has to wait" if waits else "A letter was given up after a day"
        _log.warning(event, letter=letter.id, why=cause)
        return False
    await database.transact(outbox.sent, letter)
    return True
