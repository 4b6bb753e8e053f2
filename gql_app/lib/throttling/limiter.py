"""The limiter: attempts are counted while there is room, and refused when there is none."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar, Concatenate, ParamSpec, TypeVar

from gql_app.lib import clock
from gql_app.lib.database import Reader, Transaction
from gql_app.lib.throttling.counters import Counters
from gql_app.lib.throttling.limits import Limit, longest_wait

P = ParamSpec("P")
R = TypeVar("R")


class Limiter(ABC):
    """What counts attempts against limits, and refuses those for which there is no room.

    An attempt is let through only while there is room: require_room() before it saves the work,
    count() in the transaction that answers the outcome holds. So attempts made side by side learn
    no more than attempts made one by one.
    """

    counters: ClassVar[Counters]
    window: int
    """Seconds that the times of a limit with such a window are kept."""

    @abstractmethod
    def refusal(self, limit: Limit, seconds: int) -> Exception:
        """Return what is raised when a limit is reached, with the seconds until it isn't."""

    def check(self, limits: Sequence[Limit], times: Mapping[str, Sequence[float]]) -> None:
        """Raise the refusal if any limit is reached by the times of its subject."""
        seconds, limit = longest_wait(limits, times, clock.now())
        if seconds:
            raise self.refusal(limit, seconds)

    async def require_room(self, db: Reader, *limits: Limit) -> None:
        """Raise the refusal unless there is room for another attempt."""
        self.check(limits, await self.counters.find(db, [limit.subject for limit in limits]))

    async def count(self, db: Transaction, *limits: Limit) -> bool:
        """Count an attempt against every limit; return whether one is reached by it.

        Raises the refusal if one was reached before: then nothing is counted.
        """
        now = clock.now()
        times = await self.counters.begin(db, limits, now)
        self.check(limits, times)
        return await self.counters.add(db, limits, times, now, kept=self.window)

    async def limited(
        self,
        db: Transaction,
        limits: Sequence[Limit],
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns that counts as an attempt. Raises the refusal."""
        await self.count(db, *limits)
        return await rule(db, *args, **kwargs)

    async def give_back(self, db: Transaction, limit: Limit) -> None:
        """Forget the last count against a limit: what was counted has come to nothing."""
        await self.counters.take_back(db, limit.subject, clock.now())

    async def clear(self, db: Transaction, *limits: Limit) -> None:
        """Forget every attempt that counts against some limits."""
        if limits:
            await self.counters.clear(db, [limit.subject for limit in limits])

    async def purge(self, db: Transaction, *, batch: int) -> int:
        """Delete some counts of which every attempt is forgotten; return how many."""
        before = clock.now() - timedelta(seconds=self.window)
        return await self.counters.purge(db, before=before, batch=batch)
