"""Refresh: a session goes on by its refresh token, which is good for one use.

Each use spends it and makes its one successor (RFC 9700 section 4.14.2). Whoever comes
with a spent one holds a copy, so the session ends, unless they come within the grace: two
tabs of one browser race, and both are answered the same successor. An answer may be lost on
its way as well: as long as the successor was never used, it is answered again for a while, and
the audit tells each time.
"""

from datetime import timedelta
from enum import Enum, auto
from typing import Final
from uuid import UUID

from sqlalchemy import Text, bindparam, select, update

from gql_app import clock
from gql_app.accounts import audit, customers, known_clients, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import Lifetimes, Opened
from gql_app.db.engine import Writer
from gql_app.db.questions import Question, Reader
from gql_app.db.tables import RefreshTokenRow, SessionRow
from gql_app.security import refresh_secrets


class NotRefreshed(Enum):
    """Why a refresh token is no good."""

    UNKNOWN = auto()
    ENDED = auto()
    EXPIRED = auto()
    REUSED = auto()


async def carry_on(
    db: Writer, token: str, origin: Origin, lifetimes: Lifetimes
) -> tuple[CustomerRecord, Opened] | NotRefreshed:
    """Rotate a refresh token, and read all that is answered before that is committed.

    What stalls after the commit loses the answer, and the token is spent by then.
    """
    opened = await rotate(db, token, origin, lifetimes)
    if isinstance(opened, NotRefreshed):
        return opened
    customer = await customers.by_id(db, opened.session.customer_id)
    return (customer, opened) if customer else NotRefreshed.ENDED


async def rotate(
    db: Writer, token: str, origin: Origin, lifetimes: Lifetimes
) -> Opened | NotRefreshed:
    """Spend a refresh token and make its successor; one of many that race spends it.

    A reuse is no exception, for the end of the session has to be committed first.
    """
    digest = refresh_secrets.digest(refresh_secrets.REFRESH, token)
    if digest is None:
        return NotRefreshed.UNKNOWN
    now = clock.now()
    living = select(SessionRow.id).where(sessions.lives())
    spend = (
        update(RefreshTokenRow)
        .where(
            RefreshTokenRow.digest == digest,
            RefreshTokenRow.spent_at.is_(None),
            RefreshTokenRow.expires_at > now,
            RefreshTokenRow.session_id.in_(living),
        )
        .values(spent_at=now)
        .returning(RefreshTokenRow)
    )
    spent = (await db.scalars(spend)).one_or_none()
    if spent is None:
        return await _judge_unspendable(db, digest, token, origin, lifetimes)
    session = await db.get_one(SessionRow, spent.session_id)
    session.expires_at = lifetimes.living_until(session.created_at)
    session.last_used_at = now
    await known_clients.note(db, session.customer_id, origin.ip_address)
    successor = refresh_secrets.succeeding(lifetimes.pepper, token, spent.salt)
    return sessions.issue(db, session, successor, lifetimes)


def may_be_token(token: str) -> bool:
    """Tell whether a text has the form of a refresh token."""
    return refresh_secrets.digest(refresh_secrets.REFRESH, token) is not None


async def owner(db: Reader, token: str) -> UUID | None:
    """Find whose session a refresh token is of, None if there is no such token."""
    found = await db.ask(_OWNER, digest=refresh_secrets.digest(refresh_secrets.REFRESH, token))
    return found[0] if found else None


async def _judge_unspendable(
    db: Writer, digest: str, token: str, origin: Origin, lifetimes: Lifetimes
) -> Opened | NotRefreshed:
    row = await db.get(RefreshTokenRow, digest)
    if row is None:
        return NotRefreshed.UNKNOWN
    session, now = await db.get_one(SessionRow, row.session_id), clock.now()
    if session.ended_at is not None:
        return NotRefreshed.ENDED
    if row.spent_at is None or session.expires_at <= now:
        return NotRefreshed.EXPIRED
    age = abs(now - row.spent_at)  # clocks are set back, too
    if age < timedelta(seconds=lifetimes.grace):
        return await _latest(db, session, row, token, lifetimes)
    if age < timedelta(seconds=lifetimes.retry):
        token = refresh_secrets.succeeding(lifetimes.pepper, token, row.salt)
        successor = await _held(db, token)
        if successor and successor.spent_at is None:
            audit.record(db, Action.REFRESH_RETRIED, origin, customer_id=session.customer_id)
            return Opened(session, token, successor.expires_at)
    await sessions.end(db, session.id, of=None, origin=origin, action=Action.REUSE)
    return NotRefreshed.REUSED


async def _latest(
    db: Writer, session: SessionRow, row: RefreshTokenRow, token: str, lifetimes: Lifetimes
) -> Opened | NotRefreshed:
    """Follow a token that was spent just now to the one of its line that isn't."""
    while row.spent_at is not None:
        token = refresh_secrets.succeeding(lifetimes.pepper, token, row.salt)
        successor = await _held(db, token)
        if successor is None:
            return NotRefreshed.UNKNOWN
        row = successor
    return Opened(session, token, row.expires_at)


async def _held(db: Writer, token: str) -> RefreshTokenRow | None:
    """Find a token that was made, and hold it, so that nobody spends it meanwhile."""
    digest = refresh_secrets.digest(refresh_secrets.REFRESH, token) or ""
    return await db.get(RefreshTokenRow, digest, with_for_update=True)


_OWNER: Final[Question[UUID]] = Question(
    select(SessionRow.customer_id)
    .join(RefreshTokenRow, RefreshTokenRow.session_id == SessionRow.id)
    .where(RefreshTokenRow.digest == bindparam("digest", type_=Text())),
    lambda row: row[0],
)
