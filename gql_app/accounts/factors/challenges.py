"""Challenges: sign-ins that were proven by a first factor, and wait for a second one.

A challenge is 256 random bits, of which the database holds the digest. It is valid for five minutes
and one success, while the password, the factors and the state of the account are unchanged, and
until all sessions of the account are ended. gql_app/factors/challenges.py finds and spends it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, select

from gql_app.accounts.factors import second_factors
from gql_app.accounts.factors.second_factors import SecondFactorMethod, SecondFactorRecord
from gql_app.accounts.mail import letters, links
from gql_app.accounts.proofs import Proof
from gql_app.accounts.records import CustomerRecord
from gql_app.db.factor_tables import SignInChallengeRow
from gql_app.lib import clock
from gql_app.lib.database import Batch, Transaction, insert_row
from gql_app.security import tokens

LIFETIME: Final = timedelta(minutes=5)


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
        issued_on=issued_on(customer),
        expires_at=expires_at,
    )
    return challenge


async def void(db: Transaction, customer_id: UUID) -> None:
    """Delete the challenges of a customer."""
    theirs = SignInChallengeRow.customer_id == customer_id
    await db.execute(delete(SignInChallengeRow).where(theirs))


async def void_entrances(db: Transaction, customer_id: UUID) -> None:
    """Void what would open a session where all sessions of a customer end.

    Those are challenges and links that open the account; `end-sessions` voids those of everybody.
    """
    await void(db, customer_id)
    await letters.void_links(db, customer_id, links.OPENING)


def digest_of(token: str) -> str:
    """Return the digest of a token; empty, which no challenge has, if the text is no token."""
    return tokens.digest(tokens.CHALLENGE, token) or ""


def issued_on(customer: CustomerRecord) -> str:
    """Return the digest of the state of a customer that a challenge is bound to."""
    version = str(customer.factors_version)
    return tokens.state_digest([customer.password_hash, customer.is_active, version])


_INSERT: Final = insert_row(SignInChallengeRow)
purge: Final = Batch(
    select(SignInChallengeRow.digest).where(SignInChallengeRow.expires_at < bindparam("before")),
    delete(SignInChallengeRow),
).purge
"""Deletes at most a batch of expired challenges; returns how many."""
