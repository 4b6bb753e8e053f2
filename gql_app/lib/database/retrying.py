"""Retries of what was surely undone."""

from typing import Final

import stamina
from stamina.instrumentation import set_on_retry_hooks

from gql_app.lib.database.errors import Conflict, ConnectionLost

RETRYABLE: Final = (ConnectionLost, Conflict)
"""What was surely undone, and may well work when it is tried again."""

# stamina would count and log by itself, and what it logs are the arguments: customers' data.
set_on_retry_hooks(())
retry_lost: Final = stamina.AsyncRetryingCaller(
    attempts=4, timeout=1.0, wait_initial=0.05, wait_max=0.4, wait_jitter=0.2
).on(RETRYABLE)
"""Tries after a connection was lost: a few, within a second."""
retry_conflict: Final = stamina.AsyncRetryingCaller(
    attempts=None, timeout=3.0, wait_initial=0.01, wait_max=0.2, wait_jitter=0.1
).on(RETRYABLE)
"""Tries of a transaction that collides with others: each time, one gets through."""
