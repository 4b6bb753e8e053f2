"""Passwords: how they are hashed, and what is stored for an account without one."""

from typing import Final

from gql_app.errors import TooManyAttempts
from gql_app.lib.hashes import Hasher

NO_PASSWORD: Final = ""
"""The hash of an account without a password: to verify it takes as long, and never matches."""
RETRY_AFTER: Final = 1
"""Seconds after which a request that found the queue full may be tried again."""


class Passwords(Hasher):
    """The hasher of customers' passwords; it raises TooManyAttempts if its queue is full."""

    def refusal(self) -> TooManyAttempts:
        """Return the refusal of a password that finds the queue full."""
        return TooManyAttempts(retry_after=RETRY_AFTER, limit="password_queue")
