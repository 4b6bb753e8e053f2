"""Challenges: found, held and spent by the second factor that answers them."""

from typing import Any, Final

from sqlalchemy import bindparam, delete, select

from gql_app.accounts.factors.challenges import Challenge, digest_of, issued_on
from gql_app.accounts.proofs import Proof
from gql_app.accounts.records import CUSTOMER, CustomerRecord
from gql_app.db.factor_tables import SignInChallengeRow
from gql_app.db.tables import CustomerRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import Query, Reader, Transaction

SPENT: Final = Fault(
    UserErrorCode.TOKEN_INVALID, "This sign-in is not good any more. Sign in again.", "challenge"
)
OLD: Final = Fault(
    UserErrorCode.TOKEN_EXPIRED, "This sign-in took too long. Sign in again.", "challenge"
)


async def find(db: Reader, token: str) -> Challenge | None:
    """Return the challenge of a token, None if it is invalid. Raises Rejected if it is too old."""
    row = await db.fetch_one(_FIND, digest=digest_of(token))
    return _good(row, token)


async def hold(db: Transaction, token: str) -> Challenge:
    """Return the challenge of a token, whose account is locked until the transaction ends.

    Raises Rejected if it is too old, or has been spent or voided meanwhile.
    """
    row = await db.fetch_one(_HOLD, digest=digest_of(token))
    # It is read again: if the lock was waited for, it may have been spent.
    challenge = _good(row and await db.fetch_one(_FIND, digest=digest_of(token)), token)
    if challenge is None:
        raise Rejected(SPENT)
    return challenge


async def spend(db: Transaction, challenge: Challenge) -> None:
    """Delete a challenge that succeeded. The account is locked already."""
    its = SignInChallengeRow.digest == challenge.digest
    await db.execute(delete(SignInChallengeRow).where(its))


def _good(row: Any, token: str) -> Challenge | None:  # noqa: ANN401 — a row of _FIND
    """Return the challenge of a row, None if the account has changed. Raises Rejected: expired."""
    if row is None:
        return None
    *values, methods, audience, issued, expires_at = row
    customer = CustomerRecord._make(values)
    if issued != issued_on(customer):
        return None
    if expires_at <= clock.now():
        raise Rejected(OLD)
    return Challenge(token, customer, Proof(methods, audience), expires_at)


_CHALLENGE: Final = (
    select(
        *CUSTOMER,
        SignInChallengeRow.methods,
        SignInChallengeRow.audience,
        SignInChallengeRow.issued_on,
        SignInChallengeRow.expires_at,
    )
    .join(SignInChallengeRow, SignInChallengeRow.customer_id == CustomerRow.id)
    .where(SignInChallengeRow.digest == bindparam("digest"), CustomerRow.is_active)
)
_FIND: Final[Query[Any]] = Query(_CHALLENGE, tuple)
_HOLD: Final[Query[Any]] = Query(_CHALLENGE.with_for_update(of=CustomerRow), tuple)
