"""Attempts at codes: five wrong ones of an account in 15 minutes, and none is judged for a while.

An app's codes and recovery codes count together, wherever they are given. The account is locked
before its attempts, so that guesses made side by side are no more than those made one by one.
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
    """Raise TooManyAttempts unless another code is judged. The account is locked already."""
    limit = limit_of(throttle, customer_id)
    throttle.check([limit], await throttle.lock(db, [limit]))


async def settle(
    db: Transaction, throttle: Throttle, customer_id: UUID, *, right: bool
) -> Fault | None:
    """Forget the wrong codes after a right one, or count one more and return its fault.

    It is no exception, for it has to be committed.
    """
    limit = limit_of(throttle, customer_id)
    if right:
        await throttle.clear(db, limit)
        return None
    await throttle.count(db, limit)
    return WRONG
