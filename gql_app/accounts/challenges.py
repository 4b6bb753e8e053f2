"""Challenges: sign-ins that were proven by a first factor, and wait for a second one.

A challenge is 256 random bits, of which the database holds the digest. It is valid for five minutes
and one success, while the password, the factors and the state of the account are unchanged, and
until all sessions of the account are ended.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, select, true

from gql_app.accounts import letters, links, second_factors
from gql_app.accounts.proofs import Proof
from gql_app.accounts.records import CUSTOMER, CustomerRecord
from gql_app.accounts.second_factors import SecondFactorMethod, SecondFactorRecord
from gql_app.db.factor_tables import SignInChallengeRow
from gql_app.db.tables import CustomerRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import Batch, Query, Reader, Transaction, insert_row
from gql_app.security import tokens

LIFETIME: Final = timedelta(minutes=5)
SPENT: Final = Fault(
    UserErrorCode.TOKEN_INVALID, "This sign-in is not good any more. Sign in again.", "challenge"
)
OLD: Final = Fault(
    UserErrorCode.TOKEN_EXPIRED, "This sign-in took too long. Sign in again.", "challenge"
)


class Challenge(NamedTuple):
    """A sign-in that waits for its second factor."""

    token: str
    customer: CustomerRecord
    proof: Proof
    """The proof by the first factor."""
    expires_at: datetime
    offered: Sequence[SecondFactorMethod] = ()
    """The methods that the second factor may be given by."""
    factors: Sequence[SecondFactorRecord] = ()

    @property
    def digest(self) -> str:
        """The digest that the database holds, and that a passkey's challenge is bound to."""
        return digest_of(self.token)

    def __repr__(self) -> str:
        """Return the customer's id alone: logs hold no token."""
        return f"Challenge({self.customer.id})"


async def open_challenge(db: Transaction, customer: CustomerRecord, proof: Proof) -> Challenge:
    """Open a challenge of a customer who has a second factor. The account is locked already."""
    [factors] = await second_factors.of_customers(db, [customer.id])
    offered = await second_factors.methods(db, factors, customer.id)
    expires_at = clock.now() + LIFETIME
    token = tokens.new_challenge()
    challenge = Challenge(token, customer, proof, expires_at, offered, factors)
    await db.execute(
        _INSERT,
        digest=challenge.digest,
        customer_id=customer.id,
        **proof._asdict(),
        issued_on=_issued_on(customer),
        expires_at=expires_at,
    )
    return challenge


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


async def void(db: Transaction, customer_id: UUID | None = None) -> None:
    """Delete the challenges of a customer, or of everybody."""
    theirs = true() if customer_id is None else SignInChallengeRow.customer_id == customer_id
    await db.execute(delete(SignInChallengeRow).where(theirs))


async def void_entrances(db: Transaction, customer_id: UUID | None = None) -> None:
    """Void what would open a session where all sessions end: of a customer, or of everybody.

    Those are challenges and links that open the account; of everybody, all links.
    """
    await void(db, customer_id)
    if customer_id is None:
        await letters.void_every_link(db)
    else:
        await letters.void_links(db, customer_id, links.OPENING)


def digest_of(token: str) -> str:
    """Return the digest of a token; empty, which no challenge has, if the text is no token."""
    return tokens.digest(tokens.CHALLENGE, token) or ""


def _good(row: Any, token: str) -> Challenge | None:  # noqa: ANN401 — a row of _FIND
    """Return the challenge of a row, None if the account has changed. Raises Rejected: expired."""
    if row is None:
        return None
    *values, methods, audience, issued_on, expires_at = row
    customer = CustomerRecord._make(values)
    if issued_on != _issued_on(customer):
        return None
    if expires_at <= clock.now():
        raise Rejected(OLD)
    return Challenge(token, customer, Proof(methods, audience), expires_at)


def _issued_on(customer: CustomerRecord) -> str:
    """Return the digest of the state of a customer that a challenge is bound to."""
    version = str(customer.factors_version)
    return tokens.state_digest([customer.password_hash, customer.is_active, version])


_INSERT: Final = insert_row(SignInChallengeRow)
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
purge: Final = Batch(
    select(SignInChallengeRow.digest).where(SignInChallengeRow.expires_at < bindparam("before")),
    delete(SignInChallengeRow),
).purge
"""Deletes at most a batch of expired challenges; returns how many."""
