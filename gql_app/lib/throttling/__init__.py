"""Limits: how often a subject may do something, counted in a table that all processes share."""

import hmac
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple

from sqlalchemy import Integer, bindparam, delete, select
from sqlalchemy.orm import DeclarativeBase

from gql_app.lib import clock
from gql_app.lib.database import Query, Reader, Transaction, any_of, upsert
from gql_app.lib.network import client_networks, client_of


@dataclass(frozen=True, slots=True)
class Limit:
    """How often one subject may do something within a window, which slides.

    With a pause it is a lockout: failures in a row count, however slow they are, until the last of
    them is forgotten, and once they are too many there is one more after each pause. A pause as
    long as the window means that only a success, or somebody who clears the count, lets anybody
    try again.
    """

    subject: str
    attempts: int
    name: str
    """What is tried, as the labels of the metrics have it."""
    window: int
    """Seconds until an attempt is forgotten."""
    advice: str | None = None
    """What to do, if there is more to do than to wait."""
    pause: int | None = None
    """Seconds between two tries of a lockout once the limit is reached."""

    def counted(self, times: Sequence[float], now: float) -> list[float]:
        """Return the times that count, in seconds since the epoch.

        Those that are so far ahead that the clock was set back since are forgotten, too.
        """
        if self.pause is None:
            return [time for time in times if now - self.window < time <= now + self.window]
        past = [time for time in times if time <= now + self.pause]
        return past if past and past[-1] > now - self.window else []

    def wait(self, times: Sequence[float], now: float) -> int:
        """Return the seconds until there is room, 0 if there is some now."""
        counted = self.counted(times, now)
        if len(counted) < self.attempts:
            return 0
        if self.pause is None:
            return max(1, math.ceil(counted[-self.attempts] + self.window - now))
        return max(0, math.ceil(counted[-1] + self.pause - now))


class PasswordLimits(NamedTuple):
    """What a try at an account's password counts against."""

    pair: Limit
    """The account and the client together."""
    clients: tuple[Limit, ...]
    """The client, whatever accounts it tries."""
    lockout: Limit
    """The account, over all clients that are not known to it."""
    known: bool = False
    """Whether the client is known to the account."""

    @property
    def all(self) -> tuple[Limit, ...]:
        """All of them."""
        return (self.pair, *self.clients, self.lockout)

    @property
    def counting(self) -> tuple[Limit, ...]:
        """Those that a failure counts against: strangers' failures keep no known client out."""
        return (self.pair, *self.clients) if self.known else self.all


class Counters:
    """The statements on a table of counts.

    Its columns are `subject` (the key), `times` (JSON: seconds since the epoch) and `updated_at`.
    """

    def __init__(self, table: type[DeclarativeBase]) -> None:
        names = ("subject", "times", "updated_at")
        subject, times, updated_at = (getattr(table, name) for name in names)
        some = select(subject, times).where(any_of(subject, "subjects"))
        self.find: Final = Query(some, _pair)
        self.hold: Final = Query(some.order_by(subject).with_for_update(), _pair)
        self.begin: Final = Query(upsert(table, update=()).returning(subject, times), _pair)
        self.save: Final = upsert(table)
        self.clear: Final = delete(table).where(any_of(subject, "subjects"))
        old = select(subject).where(updated_at < bindparam("before"))
        batch = old.limit(bindparam("batch", type_=Integer())).with_for_update(skip_locked=True)
        self.purge: Final = delete(table).where(subject.in_(batch))


class Limiter(ABC):
    """What counts attempts against limits, and refuses those for which there is no room.

    An attempt is let through only while there is room: require_room() before it saves the work,
    count() in the transaction that answers the outcome holds. Whoever counts holds the rows of
    their subjects, always in the same order, until their transaction ends: so attempts made side by
    side learn no more than attempts made one by one. Who tried is kept as a keyed hash.
    """

    counters: ClassVar[Counters]
    key: bytes
    """The key by which subjects are hashed."""
    window: int
    """Seconds that the times of a limit with such a window are kept."""

    @property
    @abstractmethod
    def limits(self) -> Mapping[str, Limit]:
        """Every limit by its name, of no subject yet.

        A plain name is counted for whatever was typed, "from" for a client and its networks, "by"
        for an account, "anywhere" for an account in a row of failures.
        """

    @abstractmethod
    def refusal(self, limit: Limit, seconds: int) -> Exception:
        """Return what is raised when a limit is reached, with the seconds until it isn't."""

    def subject(self, kind: str, who: str) -> str:
        """Return a keyed hash (HMAC-SHA-256) of whom is counted for what; a table holds no name."""
        return hmac.digest(self.key, f"{kind}: {who}".encode(), "sha256").hex()

    def of_typed(self, name: str, typed: str) -> Limit:
        """Return a limit for what was typed, whether it belongs to anybody or not."""
        return replace(self.limits[name], subject=self.subject(name, typed))

    def of_client(self, kind: str, address: str | None) -> tuple[Limit, ...]:
        """Return the limits of a kind for where a request comes from.

        Each wider network of an IPv6 address is granted twice as much as the one within.
        """
        limits = [self.of_typed(f"{kind} from", network) for network in client_networks(address)]
        return tuple(
            replace(limit, attempts=limit.attempts << wider) for wider, limit in enumerate(limits)
        )

    def of_account(self, kind: str, account: object) -> Limit:
        """Return the limit of what one account, by its id, does of a kind."""
        return self.of_typed(f"{kind} by", str(account))

    def of_password(self, kind: str, account: str, address: str | None) -> PasswordLimits:
        """Return the limits of a kind that proves an account's password.

        They are the same for accounts that there are and others, and strangers' failures reach
        the owner late: the account is counted for each client, and for all of them together only
        in a row.
        """
        return PasswordLimits(
            self.of_typed(kind, f"{client_of(address)} {account}"),
            self.of_client(kind, address),
            self.of_typed(f"{kind} anywhere", account),
        )

    def check(self, limits: Sequence[Limit], times: Mapping[str, Sequence[float]]) -> None:
        """Raise the refusal if any limit is reached by the times of its subject.

        Of several the one with the longest wait is what it names.
        """
        now = clock.now().timestamp()
        waits = [limit.wait(times.get(limit.subject, ()), now) for limit in limits]
        if longest := max(waits):
            raise self.refusal(limits[waits.index(longest)], longest)

    def check_oldest(self, name: str, oldest: datetime | None) -> None:
        """Raise the refusal if as much as a limit grants was done within its window.

        `oldest` is when the first of that was, None if it was less: so what is counted by rows of
        its own needs no times.
        """
        if oldest is not None:
            self.check([replace(self.limits[name], attempts=1)], {"": [oldest.timestamp()]})

    async def require_room(self, db: Reader, *limits: Limit) -> None:
        """Raise the refusal unless there is room for another attempt."""
        subjects = [limit.subject for limit in limits]
        self.check(limits, dict(await db.fetch_all(self.counters.find, subjects=subjects)))

    async def hold_room(self, db: Transaction, limits: PasswordLimits) -> Sequence[Limit]:
        """Return the limits that a password which was right clears, and hold them.

        Those are the ones with failures, for to clear others is to wait for who may wait for us.
        Raises the refusal unless there is room.
        """
        subjects = [limit.subject for limit in limits.all]
        failed = dict(await db.fetch_all(self.counters.hold, subjects=subjects))
        self.check(limits.counting, failed)
        return [limit for limit in (limits.pair, limits.lockout) if limit.subject in failed]

    async def count(self, db: Transaction, *limits: Limit) -> bool:
        """Count an attempt against every limit; return whether one is reached by it.

        Raises the refusal if one was reached before: then nothing is counted. Subjects that never
        tried are held as well.
        """
        now = clock.now().timestamp()
        in_order = sorted(limits, key=lambda limit: limit.subject)
        begun = [self._row(each, []) for each in in_order]
        times = dict(await db.execute_many(self.counters.begin, begun))
        self.check(limits, times)
        reached, rows = False, []
        for limit in limits:
            latest = [*limit.counted(times[limit.subject], now), now][-limit.attempts :]
            rows.append(self._row(limit, latest))
            reached |= len(latest) >= limit.attempts
        await db.execute_many(self.counters.save, rows)
        return reached

    async def give_back(self, db: Transaction, limit: Limit) -> None:
        """Forget the last count against a limit: what was counted has come to nothing."""
        for _, times in await db.fetch_all(self.counters.hold, subjects=[limit.subject]):
            await db.execute(self.counters.save, **self._row(limit, times[:-1]))

    async def clear(self, db: Transaction, *limits: Limit) -> None:
        """Forget every attempt that counts against some limits."""
        if limits:
            subjects = [limit.subject for limit in limits]
            await db.execute(self.counters.clear, subjects=subjects)

    async def purge(self, db: Transaction, *, batch: int) -> int:
        """Delete at most a batch of rows whose attempts are forgotten; return how many."""
        before = clock.now() - timedelta(seconds=self.window)
        return await db.execute(self.counters.purge, before=before, batch=batch)

    def _row(self, limit: Limit, times: Sequence[float]) -> dict[str, object]:
        """Return the row of a limit that was counted at these times.

        Rows are kept until `window` seconds after `updated_at`, which therefore is later than now
        for a limit with a longer window.
        """
        updated_at = clock.now() + timedelta(seconds=limit.window - self.window)
        return {"subject": limit.subject, "times": times, "updated_at": updated_at}


def _pair(row: Sequence[Any]) -> tuple[str, list[float]]:
    return row[0], row[1]
