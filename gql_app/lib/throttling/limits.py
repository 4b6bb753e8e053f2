"""Limits: whether something may happen once more, by when it happened before."""

import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


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

    def counted(self, times: Sequence[float], now: float) -> list[float]:
        """Return the times that count, in seconds since the epoch.

        Those that are so far ahead that the clock was set back since are forgotten, too.
        """
        return [time for time in times if now - self.window < time <= now + self.window]

    def wait(self, times: Sequence[float], now: float) -> int:
        """Return the seconds until there is room, 0 if there is some now."""
        counted = self.counted(times, now)
        if len(counted) < self.attempts:
            return 0
        return max(1, math.ceil(counted[-self.attempts] + self.window - now))


@dataclass(frozen=True, slots=True)
class Lockout(Limit):
    """How many failures in a row one subject is granted, however slow they are.

    Once they are reached there is one more after each pause. A pause as long as the window means
    that only a success, or somebody who clears the count, lets anybody try again.
    """

    pause: int = 15 * 60
    """Seconds between two tries once the limit is reached."""

    def counted(self, times: Sequence[float], now: float) -> list[float]:
        """Return all times until the last of them is forgotten."""
        past = [time for time in times if time <= now + self.pause]
        return past if past and past[-1] > now - self.window else []

    def wait(self, times: Sequence[float], now: float) -> int:
        """Return the seconds until there is room, 0 if there is some now."""
        counted = self.counted(times, now)
        if len(counted) < self.attempts:
            return 0
        return max(0, math.ceil(counted[-1] + self.pause - now))


def longest_wait(
    limits: Sequence[Limit], times: Mapping[str, Sequence[float]], now: datetime
) -> tuple[int, Limit]:
    """Return the seconds until there is room by every limit, and the limit that needs them.

    `times` are those of each subject; one that is not there has done nothing.
    """
    waits = [(limit.wait(times.get(limit.subject, ()), now.timestamp()), limit) for limit in limits]
    return max(waits, key=lambda each: each[0])


def subject_hash(key: bytes, kind: str, who: str) -> str:
    """Return a keyed hash (HMAC-SHA-256) of whom is counted for what; a table holds no name."""
    return hmac.digest(key, f"{kind}: {who}".encode(), "sha256").hex()
