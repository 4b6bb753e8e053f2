"""The methods of a session's proof of identity, with those of second factors."""

from typing import Final

from sqlalchemy import update

from gql_app.accounts.proofs import (
    CODE,
    ELSEWHERE,
    FACTORS,
    LINK,
    PASSKEY,
    PASSWORD,
    TWO_FACTORS,
    USER_VERIFIED,
)
from gql_app.accounts.records import SessionRecord
from gql_app.db.tables import SessionRow
from gql_app.lib import clock
from gql_app.lib.database import Transaction

_FIRST: Final = frozenset({PASSWORD, LINK, ELSEWHERE})
_ORDER: Final = (PASSWORD, LINK, ELSEWHERE, CODE, PASSKEY, USER_VERIFIED, TWO_FACTORS)


def combined(before: str | None, *methods: str) -> str:
    """Return the methods of a session's earlier proof and further ones, as one text."""
    known = {*(before or "").split(), *methods}
    if known & FACTORS and known & _FIRST:
        known.add(TWO_FACTORS)
    return " ".join(method for method in _ORDER if method in known)


def without_factors(before: str | None) -> str:
    """Return the methods of a session without second factors, which may be another person's."""
    return " ".join(method for method in (before or "").split() if method in _FIRST)


async def prove(db: Transaction, session: SessionRecord, methods: str) -> None:
    """Record that the customer of a session has just proven their identity by these methods."""
    its = SessionRow.id == session.id
    now = clock.now()
    await db.execute(update(SessionRow).where(its).values(authenticated_at=now, methods=methods))
