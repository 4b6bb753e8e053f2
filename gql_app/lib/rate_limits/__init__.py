"""Rate limits and lockouts: attempts are counted in a table that all processes share."""

import hmac
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import DeclarativeBase

from gql_app.lib import clock
from gql_app.lib.database import Batch, Query, Reader, Transaction, any_of, upsert
from gql_app.lib.network import client_networks

__all__ = ["Limit", "PasswordLimits", "RateLimits"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit: how often a subject may do something within a sliding window.

    With a pause it is a lockout: consecutive failures count, however slow they are, until the last
    of them is older than the window, and once the limit is reached one attempt is allowed after
    each pause. With a pause as long as the window, further attempts need a success or an operator
    who clears the count.
    """

    subject: str
    attempts: int
    name: str
    """The kind of attempt, as in the labels of the metrics."""
    window: int
    """Seconds for which an attempt counts."""
    advice: str | None = None
    """Advice to the client, if it can do more than wait."""
    pause: int | None = None
    """Seconds between two attempts during a lockout."""

    def counted(self, times: Sequence[float], now: float) -> list[float]:
        """Return the times that count, in seconds since the epoch.

        Times too far in the future do not count: the clock was set back since.
        """
        if self.pause is None:
            return [time for time in times if now - self.window < time <= now + self.window]
        past = [time for time in times if time <= now + self.pause]
        return past if past and past[-1] > now - self.window else []

    def wait(self, times: Sequence[float], now: float) -> int:
        """Return the seconds until another attempt is allowed, 0 if one is now."""
        counted = self.counted(times, now)
        if len(counted) < self.attempts:
            return 0
        if self.pause is None:
            return max(1, math.ceil(counted[-self.attempts] + self.window - now))
        return max(0, math.ceil(counted[-1] + self.pause - now))


class PasswordLimits(NamedTuple):
    """The limits that an attempt at an account's password counts against."""

    pair: Limit
    """The account and the client together."""
    clients: tuple[Limit, ...]
    """The client, over all accounts."""
    lockout: Limit
    """The account, over all clients that it does not know."""
    wider: tuple[Limit, ...]
    """The account and the client's wider networks together."""
    known: bool = False
    """Whether the client is known to the account."""

    @property
    def all(self) -> tuple[Limit, ...]:
        """All limits."""
        return (self.pair, *self.wider, *self.clients, self.lockout)

    @property
    def of_account(self) -> tuple[Limit, ...]:
        """The limits of the account, which a right password clears."""
        return (self.pair, *self.wider, self.lockout)

    @property
    def counting(self) -> tuple[Limit, ...]:
        """The limits that apply: a known client is exempt from those that strangers reach."""
        return (self.pair, *self.clients) if self.known else self.all

    @property
    def counted(self) -> tuple[Limit, ...]:
        """The limits that a failed sign-in is counted against: as many for a known client.

        Those that it is exempt from have stand-ins that are never reached, so that a failure costs
        the same work and does not tell who signs in from there.
        """
        exempt = (*self.wider, self.lockout) if self.known else ()
        stand_ins = (Limit(each.subject[::-1], 2, each.name, window=0) for each in exempt)
        return (*self.counting, *stand_ins)


class Statements:
    """The statements of a table with the columns `subject` (its key), `times` and `updated_at`."""

    def __init__(self, table: type[DeclarativeBase]) -> None:
        columns: Any = table
        subject, times = columns.subject, columns.times
        found = select(subject, times)
        self.find: Final[Query[Any]] = Query(found.where(any_of(subject, "subjects")), tuple)
        self.lock: Final[Query[Any]] = Query(
            found.where(subject == bindparam("subject")).with_for_update(), tuple
        )
        self.save: Final = upsert(table)
        self.add: Final[Query[Any]] = Query(
            upsert(table, update=()).returning(subject, times), tuple
        )
        self.clear: Final = delete(table).where(any_of(subject, "subjects"))
        self.purge: Final = Batch(
            select(subject).where(columns.updated_at < bindparam("before")), delete(table)
        )


@dataclass(frozen=True, repr=False)
class RateLimits(ABC):
    """The rate limits of a program, whose attempts a table counts.

    Subjects are stored as keyed hashes. require_room() before the work is only a shortcut; count()
    in the transaction of the outcome decides. It locks the rows of the subjects, always in the same
    order, until the transaction ends: so concurrent attempts learn no more than attempts one after
    another. An attempt beyond a limit raises its refusal().
    """

    _statements: ClassVar[Statements]
    key: bytes
    """The key that subjects are hashed with."""
    window: int
    """Seconds for which rows are kept; those of a limit with a longer window as long as that."""

    def __init_subclass__(cls, *, table: type[DeclarativeBase]) -> None:
        """Take the table."""
        cls._statements = Statements(table)

    @property
    @abstractmethod
    def limits(self) -> Mapping[str, Limit]:
        """Every limit by its kind, without a subject yet.

        A plain kind counts per client and account as typed, "from" per client, both per network
        of the client as well; "by" per account, "anywhere" an account's failures in a row.
        """

    @abstractmethod
    def refusal(self, limit: Limit, wait: int) -> Exception:
        """Return the exception for an attempt that a limit refuses for some seconds."""

    def subject(self, kind: str, who: str) -> str:
        """Return the keyed hash (HMAC-SHA-256) of a subject, so that no table holds a name."""
        return hmac.digest(self.key, f"{kind}: {who}".encode(), "sha256").hex()

    def limit(self, kind: str, who: str) -> Limit:
        """Return the limit of a kind for a subject, such as an address that no account has."""
        return replace(self.limits[kind], subject=self.subject(kind, who))

    def of_client(self, kind: str, address: str | None) -> tuple[Limit, ...]:
        """Return the limits of a kind for the client of a request and its networks."""
        return self._of_networks(f"{kind} from", address)

    def of_account(self, kind: str, account: object) -> Limit:
        """Return the limit of a kind for one account, by its id."""
        return self.limit(f"{kind} by", str(account))

    def of_password(self, kind: str, account: str, address: str | None) -> PasswordLimits:
        """Return the limits of a kind that proves an account's password.

        They are the same whether the account exists or not. An account is counted per client and
        network, and over all clients only by failures in a row, so that strangers' failures lock
        its owner out late.
        """
        pair, *wider = self._of_networks(kind, address, f" {account}")
        lockout = self.limit(f"{kind} anywhere", account)
        return PasswordLimits(pair, self.of_client(kind, address), lockout, tuple(wider))

    def check_oldest(self, kind: str, oldest: datetime | None) -> None:
        """Raise refusal() if a limit's number of operations was done within its window.

        `oldest` is the time of the first of them, None if there were fewer. It serves operations
        that have rows of their own, for which no times are stored.
        """
        if oldest is not None:
            self.check([replace(self.limits[kind], attempts=1)], {"": [oldest.timestamp()]})

    def check(self, limits: Sequence[Limit], times: Mapping[str, Sequence[float]]) -> None:
        """Raise refusal() if any limit is reached by the times of its subject.

        Of several limits it names the one with the longest wait.
        """
        now = clock.now().timestamp()
        waits = [limit.wait(times.get(limit.subject, ()), now) for limit in limits]
        if longest := max(waits):
            raise self.refusal(limits[waits.index(longest)], longest)

    async def require_room(self, db: Reader, *limits: Limit) -> None:
        """Raise refusal() unless another attempt is allowed."""
        subjects = [limit.subject for limit in limits]
        self.check(limits, dict(await db.fetch_all(self._statements.find, subjects=subjects)))

    async def lock(self, db: Transaction, limits: Sequence[Limit]) -> Mapping[str, Sequence[float]]:
        """Return the times of subjects that have rows, and lock these rows.

        Mostly there are none. Each is locked separately: no lock spans the shards of a database.
        """
        found = await db.fetch_all(
            self._statements.find, subjects=[limit.subject for limit in limits]
        )
        each = [{"subject": subject} for subject, _ in sorted(found)]
        return dict(await db.execute_many(self._statements.lock, each)) if each else {}

    async def hold_failures(self, db: Transaction, limits: PasswordLimits) -> Sequence[Limit]:
        """Return the limits that a right password clears, with their rows locked.

        Those are the ones with failures: to lock rows of others could deadlock. Raises
        refusal() if a limit is reached.
        """
        failed = await self.lock(db, limits.all)
        self.check(limits.counting, failed)
        return [limit for limit in limits.of_account if limit.subject in failed]

    async def count(self, db: Transaction, *limits: Limit) -> bool:
        """Count an attempt against every limit; return whether it reaches one.

        Raises refusal() if one was reached before: then nothing is counted. Subjects without
        a row get one, and are locked as well.
        """
        now = clock.now().timestamp()
        in_order = sorted(limits, key=lambda limit: limit.subject)
        new = [self._row(each, []) for each in in_order]
        times = dict(await db.execute_many(self._statements.add, new))
        self.check(limits, times)
        reached, rows = False, []
        for limit in limits:
            latest = [*limit.counted(times[limit.subject], now), now][-limit.attempts :]
            rows.append(self._row(limit, latest))
            reached |= len(latest) >= limit.attempts
        await db.execute_many(self._statements.save, rows)
        return reached

    async def give_back(self, db: Transaction, limit: Limit) -> None:
        """Remove the last attempt from a limit, as it had no effect."""
        for times in (await self.lock(db, [limit])).values():
            await db.execute(self._statements.save, **self._row(limit, times[:-1]))

    async def clear(self, db: Transaction, *limits: Limit) -> None:
        """Remove all attempts from some limits."""
        if limits:
            subjects = [limit.subject for limit in limits]
            await db.execute(self._statements.clear, subjects=subjects)

    async def purge(self, db: Transaction, *, batch: int) -> int:
        """Delete at most `batch` rows whose attempts no longer count; return how many."""
        before = clock.now() - timedelta(seconds=self.window)
        return await self._statements.purge.apply(db, before=before, batch=batch)

    def _of_networks(self, kind: str, address: str | None, account: str = "") -> tuple[Limit, ...]:
        """Return a limit for each network of a client, of an account only if one is given.

        Each wider network of an IPv6 address is granted twice as much as the one within.
        """
        return tuple(
            replace(limit := self.limit(kind, f"{each}{account}"), attempts=limit.attempts << at)
            for at, each in enumerate(client_networks(address))
        )

    def _row(self, limit: Limit, times: Sequence[float]) -> dict[str, object]:
        """Return the row of a limit with attempts at these times.

        Rows are kept until `window` seconds after `updated_at`, which is therefore in the future
        for a limit with a longer window.
        """
        updated_at = clock.now() + timedelta(seconds=limit.window - self.window)
        return {"subject": limit.subject, "times": times, "updated_at": updated_at}
