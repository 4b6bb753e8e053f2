"""Refresh tokens and their rotation: a token extends its session, and is valid for one use.

Each use spends it and issues its one successor (RFC 9700 section 4.14.2). The replay of a spent
token is evidence of a copy, so it ends the session, except within the grace period: two tabs of
one browser may race, and both get the same successor. A response may also be lost: while the
successor is unused, a retry gets it again for a limited time, and each retry is recorded.

A token names its session, so that a distributed database finds both in one shard. The name proves
nothing: the token's digest has to match as well. Tokens of the version before, which name no
session, are found by the digest alone.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, select, update

from gql_app.accounts import audit, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.records import CUSTOMER, SESSION, columns
from gql_app.accounts.sessions import Lifetimes, Opened, SignedIn
from gql_app.db.tables import CustomerRow, RefreshTokenRow, SessionRow
from gql_app.errors import Fault, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import Moment, Query, Reader, Transaction
from gql_app.security import tokens

T = TypeVar("T")


UNKNOWN: Final = Fault(
    UserErrorCode.TOKEN_INVALID,
    "This is no refresh token of this server. Sign in again.",
    "refresh_token",
)
ENDED: Final = Fault(
    UserErrorCode.TOKEN_REVOKED, "The session has ended. Sign in again.", "refresh_token"
)
EXPIRED: Final = Fault(
    UserErrorCode.TOKEN_EXPIRED, "The session has expired. Sign in again.", "refresh_token"
)
REUSED: Final = Fault(
    UserErrorCode.TOKEN_REUSED,
    "This refresh token was used before, so somebody may hold a copy: the session has been ended. "
    "Sign in again.",
    "refresh_token",
)


class _Token(NamedTuple):
    """A refresh token."""

    session_id: UUID
    salt: str
    expires_at: datetime
    spent_at: datetime | None


async def rotate(
    db: Transaction, token: str, origin: Origin, lifetimes: Lifetimes
) -> Opened | Fault:
    """Spend a refresh token and issue its successor; of concurrent requests one spends it.

    The whole response is read before the commit: a failure after it would lose the response of a
    token that is spent by then. A reuse is returned, not raised, for the end of the session has to
    be committed.
    """
    now = clock.now()
    spent = await _SPEND.fetch(db, token, now=now)
    if spent is None:
        return await _answer_spent(db, token, origin, lifetimes)
    [(me, _)] = await db.fetch_all(_SESSION, session_id=spent.session_id)
    expires_at = lifetimes.living_until(me.session.created_at)
    me = me._replace(session=me.session._replace(expires_at=expires_at, last_used_at=now))
    if not await db.execute(_EXTEND, of_id=me.session.id, expires=expires_at, used=now):
        return ENDED  # while its lock was waited for; its client may be forgotten
    await sessions.note_client(db, me.customer.id, origin.ip_address)
    successor = tokens.succeeding(lifetimes.pepper, token, spent.salt)
    return await sessions.issue(db, me, successor, lifetimes)


async def owner(db: Reader, token: str) -> tuple[UUID, str | None] | None:
    """Return the customer of a refresh token, and the service it is for if not this API.

    None is returned if there is no such token.
    """
    return await _OWNER.fetch(db, token)


async def _answer_spent(
    db: Transaction, token: str, origin: Origin, lifetimes: Lifetimes
) -> Opened | Fault:
    """Return the outcome of a token that can't be spent; end its session if it is replayed."""
    row = await _TOKEN.fetch(db, token)
    found = await db.fetch_one(_SESSION, session_id=row.session_id) if row else None
    if row is None or found is None:  # the customer may be deleted after the token is read
        return UNKNOWN
    (me, ended_at), now = found, clock.now()
    session = me.session
    if ended_at is not None:
        return ENDED
    if row.spent_at is None or session.expires_at <= now:
        return EXPIRED
    age = abs(now - row.spent_at)  # a clock may be set back
    if age < timedelta(seconds=lifetimes.grace):
        return await _latest(db, me, row, token, lifetimes)
    if age < timedelta(seconds=lifetimes.retry):
        token = tokens.succeeding(lifetimes.pepper, token, row.salt)
        successor = await _locked(db, session.id, token)
        if successor and successor.spent_at is None:
            action = Action.REFRESH_RETRIED
            await audit.record(db, action, origin, customer_id=session.customer_id)
            return Opened(*me, token, successor.expires_at)
    await sessions.end(db, session.id, of=None, origin=origin, action=Action.REUSE)
    return REUSED


async def _latest(
    db: Transaction, me: SignedIn, row: _Token, token: str, lifetimes: Lifetimes
) -> Opened | Fault:
    """Return the unspent successor of a token that was spent within the grace period."""
    while row.spent_at is not None:
        token = tokens.succeeding(lifetimes.pepper, token, row.salt)
        successor = await _locked(db, me.session.id, token)
        if successor is None:
            return UNKNOWN
        row = successor
    return Opened(*me, token, row.expires_at)


async def _locked(db: Transaction, session_id: UUID, token: str) -> _Token | None:
    """Return a token that was issued, locked, so that it can't be spent meanwhile."""
    digest = tokens.digest(tokens.REFRESH, token)
    return await db.fetch_one(_LOCKED, of_digest=digest, of_session=session_id)


class _ByToken(Generic[T]):
    """A query for the row of a token, with or without the session that the token names."""

    def __init__(self, query: Callable[[ColumnElement[bool]], Query[T]]) -> None:
        self._of_any_session: Final = query(_DIGEST)
        self._of_session: Final = query(_DIGEST & _SESSION_ID)

    async def fetch(self, db: Reader, token: str, **values: object) -> T | None:
        """Return the result of the query for a token, None if there is no such token."""
        session_id = tokens.session_of(token)
        query = self._of_any_session if session_id is None else self._of_session
        digest = tokens.digest(tokens.REFRESH, token)
        return await db.fetch_one(query, of_digest=digest, of_session=session_id, **values)


_NOW: Final = bindparam("now", type_=Moment())
_COLUMNS: Final = columns(RefreshTokenRow, _Token._fields)
_DIGEST: Final = RefreshTokenRow.digest == bindparam("of_digest")
_SESSION_ID: Final = RefreshTokenRow.session_id == bindparam("of_session")
_TOKEN: Final = _ByToken(lambda its: Query(select(*_COLUMNS).where(its), _Token._make))
_LOCKED: Final = Query(
    select(*_COLUMNS).where(_DIGEST, _SESSION_ID).with_for_update(), _Token._make
)
_SPEND: Final = _ByToken(
    lambda its: Query(
        update(RefreshTokenRow)
        .where(
            its,
            RefreshTokenRow.spent_at.is_(None),
            RefreshTokenRow.expires_at > _NOW,
            RefreshTokenRow.session_id.in_(select(SessionRow.id).where(sessions.lives(_NOW))),
        )
        .values(spent_at=_NOW)
        .returning(*_COLUMNS),
        _Token._make,
    )
)
_SESSION: Final = Query(
    select(*CUSTOMER, *SESSION, SessionRow.ended_at)
    .join(SessionRow, SessionRow.customer_id == CustomerRow.id)
    .where(SessionRow.id == bindparam("session_id")),
    lambda row: (SignedIn.of(row[:-1]), row[-1]),
)
_EXTEND: Final = Query(
    update(SessionRow)
    .where(SessionRow.id == bindparam("of_id"), SessionRow.ended_at.is_(None))
    .values(expires_at=bindparam("expires"), last_used_at=bindparam("used")),
    tuple,
)
_OWNER: Final = _ByToken[tuple[UUID, str | None]](
    lambda its: Query(
        select(SessionRow.customer_id, SessionRow.audience)
        .join(RefreshTokenRow, RefreshTokenRow.session_id == SessionRow.id)
        .where(its),
        lambda row: (row[0], row[1]),
    )
)
