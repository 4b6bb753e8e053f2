"""Refresh: a session goes on by its refresh token, which is good for one use.

Each use spends it and makes its one successor (RFC 9700 section 4.14.2). Whoever comes
with a spent one holds a copy, so the session ends, unless they come within the grace: two
tabs of one browser race, and both are answered the same successor.
"""

from datetime import timedelta
from enum import Enum, auto
from typing import Final
from uuid import UUID

from sqlalchemy import Text, bindparam, select, update

from gql_app import clock
from gql_app.accounts import known_clients, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.sessions import Lifetimes, Opened
from gql_app.db.engine import Writer
from gql_app.db.questions import Question, Reader
from gql_app.db.tables import RefreshTokenRow, SessionRow
from gql_app.security import opaque


class NotRefreshed(Enum):
    """Why a refresh token is no good."""

    UNKNOWN = auto()
    ENDED = auto()
    EXPIRED = auto()
    REUSED = auto()


async def rotate(
    db: Writer, token: str, origin: Origin, lifetimes: Lifetimes
) -> Opened | NotRefreshed:
    """Spend a refresh token and make its successor; one of many that race spends it.

    A reuse is no exception, for the end of the session has to be committed first.
    """
    digest = opaque.digest(opaque.REFRESH, token)
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
    successor = opaque.succeeding(lifetimes.pepper, token, spent.salt)
    return sessions.issue(db, session, successor, lifetimes)


def may_be_token(token: str) -> bool:
    """Tell whether a text has the form of a refresh token."""
    return opaque.digest(opaque.REFRESH, token) is not None


async def owner(db: Reader, token: str) -> UUID | None:
    """Find whose session a refresh token is of, None if there is no such token."""
    found = await db.ask(_OWNER, digest=opaque.digest(opaque.REFRESH, token))
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
    if abs(now - row.spent_at) < timedelta(seconds=lifetimes.grace):  # clocks are set back, too
        return await _latest(db, session, row, token, lifetimes)
    await sessions.end(db, session.id, of=None, origin=origin, action=Action.REUSE)
    return NotRefreshed.REUSED


async def _latest(
    db: Writer, session: SessionRow, row: RefreshTokenRow, token: str, lifetimes: Lifetimes
) -> Opened | NotRefreshed:
    """Follow a token that was spent just now to the one of its line that isn't."""
    while row.spent_at is not None:
        token = opaque.succeeding(lifetimes.pepper, token, row.salt)
        successor = await db.get(RefreshTokenRow, opaque.digest(opaque.REFRESH, token) or "")
        if successor is None:
            return NotRefreshed.UNKNOWN
        row = successor
    return Opened(session, token, row.expires_at)


_OWNER: Final[Question[UUID]] = Question(
    select(SessionRow.customer_id)
    .join(RefreshTokenRow, RefreshTokenRow.session_id == SessionRow.id)
    .where(RefreshTokenRow.digest == bindparam("digest", type_=Text())),
    lambda row: row[0],
)
