"""Limits: how often somebody may do something, counted in a table that all processes share."""

from gql_app.lib.throttling.counters import Counters
from gql_app.lib.throttling.limiter import Limiter, NamedLimits, PasswordLimits
from gql_app.lib.throttling.limits import Limit, Lockout, longest_wait, subject_hash
from gql_app.lib.throttling.tally import Counted, Tally

__all__ = [
    "Counted",
    "Counters",
    "Limit",
    "Limiter",
    "Lockout",
    "NamedLimits",
    "PasswordLimits",
    "Tally",
    "longest_wait",
    "subject_hash",
]
