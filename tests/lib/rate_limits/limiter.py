"""Rate limits without kinds, of the application's table, for the tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gql_app.db.tables import ThrottleRow
from gql_app.lib.rate_limits import Limit, RateLimits

NOON: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Refused(Exception):
    """The refusal of an attempt."""

    def __init__(self, limit: str, wait: int) -> None:
        super().__init__(limit, wait)
        self.limit: Final = limit
        self.wait: Final = wait


@dataclass(frozen=True, repr=False)
class Limiter(RateLimits, table=ThrottleRow):
    """What keeps times for its window."""

    @property
    def limits(self) -> Mapping[str, Limit]:
        """Return no kind of limit."""
        return {}

    def refusal(self, limit: Limit, wait: int) -> Refused:
        """Return the limit's name, and the seconds to wait."""
        return Refused(limit.name, wait)


def limiter(key: bytes) -> Limiter:
    """Return what keeps times for a minute."""
    return Limiter(key, window=60)


LIMITER: Final = limiter(b"a key")
