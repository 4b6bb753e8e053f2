"""Limits: whether something may happen once more, judged by when it happened before."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from gql_app import clock

LOCKOUT_MEMORY: Final = 30 * 24 * 3600
"""Seconds after the last failure until a lockout's count is forgotten."""
LOCKOUT_PAUSE: Final = 15 * 60
"""Seconds between two tries of an account that is locked out where no letter can unlock it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How often one subject may do something within a window, which slides."""

    subject: str
    attempts: int
    name: str
    """What is tried, as the labels of the metrics have it."""
    window: int
    """Seconds until an attempt is forgotten."""
    advice: str | None = None
    """What to do, if there is more to do than to wait."""

    def counted(self, times: Sequence[float]) -> list[float]:
        """Return the times that count.

        Those that are so far ahead that the clock was set back since are forgotten, too.
        """
        now = clock.now().timestamp()
        return [time for time in times if now - self.window < time <= now + self.window]

    def wait(self, times: Sequence[float]) -> int:
        """Return the seconds until there is room, 0 if there is some now."""
        counted = self.counted(times)
        if len(counted) < self.attempts:
            return 0
        oldest = counted[-self.attempts]
        return max(1, math.ceil(oldest + self.window - clock.now().timestamp()))


@dataclass(frozen=True, slots=True)
class Lockout(Limit):
    """How many failures in a row one subject is granted, however slow they are.

    Once they are reached there is one more after each pause. A pause as long as the window means
    that only a success, or somebody who clears the count, lets anybody try again.
    """

    pause: int = LOCKOUT_PAUSE

    def counted(self, times: Sequence[float]) -> list[float]:
        """Return all times until the last of them is forgotten."""
        now = clock.now().timestamp()
        past = [time for time in times if time <= now + self.pause]
        return past if past and past[-1] > now - self.window else []

    def wait(self, times: Sequence[float]) -> int:
        """Return the seconds until there is room, 0 if there is some now."""
        counted = self.counted(times)
        if len(counted) < self.attempts:
            return 0
        return max(0, math.ceil(counted[-1] + self.pause - clock.now().timestamp()))


class PasswordLimits(NamedTuple):
    """What a try at an account's password counts against."""

    pair: Limit
    """The account and the client together."""
    clients: tuple[Limit, ...]
    """The client, whatever accounts it tries."""
    lockout: Lockout
    """The account, over all clients that are not known to it."""

    @property
    def all(self) -> tuple[Limit, ...]:
        """All of them."""
        return (self.pair, *self.clients, self.lockout)

    @property
    def subjects(self) -> list[str]:
        """The subjects of all of them."""
        return [limit.subject for limit in self.all]

    def judged(self, *, known: bool) -> tuple[Limit, ...]:
        """Return those that count: strangers' failures keep no known client out."""
        return (self.pair, *self.clients) if known else self.all
