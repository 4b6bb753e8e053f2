"""Rate limit of codes: after five wrong ones for an account in 15 minutes, none is checked.

Codes of apps and recovery codes share the limit, wherever they are entered. The account's row is
locked before its attempts are counted, so that concurrent guesses can't exceed the limit.
"""

from typing import Final
from uuid import UUID

from gql_app.accounts.throttling import Throttle
from gql_app.errors import Fault, UserErrorCode
from gql_app.lib.database import Transaction
from gql_app.lib.throttling import Limit

WRONG: Final = Fault(
    UserErrorCode.INVALID_CODE, "This code is wrong, or it was used before.", "code"
)


def limit_of(throttle: Throttle, customer_id: UUID) -> Limit:
    """Return the limit of wrong codes of an account."""
    return throttle.of_account("code", customer_id)


async def require_room(db: Transaction, throttle: Throttle, customer_id: UUID) -> None:
    """Raise TooManyAttempts if no further code may be checked. The account is locked already."""
    limit = limit_of(throttle, customer_id)
    throttle.check([limit], await throttle.lock(db, [limit]))


async def record_result(
    db: Transaction, throttle: Throttle, customer_id: UUID, *, right: bool
) -> Fault | None:
    """Clear the count of wrong codes after a right one, or count a wrong one and return its fault.

    The fault is returned and not raised, because the count has to be committed.
    """
    limit = limit_of(throttle, customer_id)
    if right:
        await throttle.clear(db, limit)
        return None
    await throttle.count(db, limit)
    return WRONG
