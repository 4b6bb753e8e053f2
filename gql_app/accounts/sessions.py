"""Sessions: each sign-in is one, and a token is as good as its session."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    Insert,
    Text,
    Update,
    Uuid,
    bindparam,
    insert,
    select,
    true,
    update,
)

from gql_app import clock
from gql_app.accounts import audit, known_clients
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.records import AnyCustomer, AnySession, SessionRecord, columns
from gql_app.db.deeds import Deed, Made
from gql_app.db.engine import Writer
from gql_app.db.questions import Question, Reader, among
from gql_app.db.rows import delete_some
from gql_app.db.tables import CustomerRow, Moment, RefreshTokenRow, SessionRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.security import refresh_secrets
from gql_app.security.ids import new_id

MOST: Final = 20
"""Living sessions that one customer may have; the oldest gives way to the newest."""
NO_CUSTOMER: Final = Fault(UserErrorCode.NOT_FOUND, "There is no such customer.", "customer_id")
KEPT: Final = timedelta(days=30)
"""How long a session is remembered after it expired."""


@dataclass(frozen=True, slots=True, repr=False)
class Lifetimes:
    """How long sessions live, in seconds, and the secret that refresh tokens are made with."""

    pepper: bytes
    access: int
    refresh: int
    longest: int
    grace: int
    retry: int

    def refreshable_until(self, created_at: datetime) -> datetime:
        """Tell until when a session that is carried on now can be carried on again."""
        longest = clock.later(created_at, self.longest)
        return min(clock.later(clock.now(), self.refresh), longest)

    def living_until(self, created_at: datetime) -> datetime:
        """Tell when the last of the tokens that a session is given now expires."""
        longest = clock.later(created_at, max(self.longest, self.access))
        access = min(clock.later(clock.now(), self.access), longest)
        return max(access, self.refreshable_until(created_at))


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A session that goes on, and the refresh token to carry it further."""

    session: AnySession
    refresh_token: str
    refresh_expires_at: datetime


async def open_session(
    db: Writer, customer: AnyCustomer, origin: Origin, lifetimes: Lifetimes
) -> Opened:
    """Sign in a customer who is there; their oldest sessions end if they have too many."""
    opened, values = new_session(customer, origin, lifetimes)
    await db.do(_OPEN, **values)
    return opened


def new_session(
    customer: AnyCustomer, origin: Origin, lifetimes: Lifetimes
) -> tuple[Opened, Mapping[str, object]]:
    """Make up a session, and tell the values that opening() has it written with."""
    now = clock.now()
    session = SessionRecord(
        id=new_id(),
        customer_id=customer.id,
        created_at=now,
        last_used_at=now,
        expires_at=lifetimes.living_until(now),
        ip_address=origin.ip_address,
        user_agent=origin.user_agent,
    )
    opened, token = _issued(session, refresh_secrets.new_refresh_token(), lifetimes)
    values = token | session._asdict() | {"refresh_expires_at": opened.refresh_expires_at}
    return opened, values | known_clients.noted(origin.ip_address)


def opening(
    *conditions: ColumnExpressionArgument[bool],
    also: Callable[[Made], Sequence[Insert]] = lambda _: (),
) -> Deed:
    """Describe how a session is opened, if the customer is there and the conditions are met."""
    made_of = select(
        *(bindparam(c.key, type_=c.type).label(c.key) for c in _SESSION if c.key != "customer_id"),
        CustomerRow.id.label("customer_id"),
    ).where(CustomerRow.id == bindparam("customer_id", type_=Uuid()), *conditions)
    return Deed(
        SessionRow,
        made_of,
        lambda made: [_issue(made), _end_oldest(made), known_clients.noting(made), *also(made)],
    )


async def living(
    db: Reader, customer_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[SessionRecord]]:
    """List the living sessions of several customers, the newest first."""
    by_customer: dict[UUID, list[SessionRecord]] = defaultdict(list)
    for found in await db.ask(_LIVING, customer_ids=customer_ids, now=clock.now()):
        by_customer[found.customer_id].append(found)
    return by_customer


async def end(
    db: Writer,
    session_id: UUID,
    *,
    of: UUID | None,
    origin: Origin,
    action: Action = Action.SESSION_ENDED,
) -> bool:
    """End a living session, of one customer or of anybody, and tell whether there was one."""
    whose = true() if of is None else SessionRow.customer_id == of
    ended = await _end(db, SessionRow.id == session_id, whose, lives())
    for customer_id in ended:
        audit.record(db, action, origin, customer_id=customer_id)
    return bool(ended)


async def end_others(db: Writer, session_id: UUID, *, of: UUID, origin: Origin) -> int:
    """End every session of a customer but the one that is calling, and tell how many."""
    others = SessionRow.id != session_id
    ended = await _end(db, SessionRow.customer_id == of, others, lives())
    if ended:
        audit.record(db, Action.SESSION_ENDED, origin, customer_id=of)
    return len(ended)


async def end_all(db: Writer, customer_id: UUID) -> None:
    """End every session of a customer."""
    await _end(db, SessionRow.customer_id == customer_id)


async def end_all_of(db: Writer, customer_id: UUID, *, origin: Origin) -> int:
    """End every session of a customer, and tell how many lived.

    Raises Rejected: NOT_FOUND.
    """
    if await db.get(CustomerRow, customer_id, with_for_update=True) is None:
        raise Rejected(NO_CUSTOMER)
    living = await _end(db, SessionRow.customer_id == customer_id, lives())
    audit.record(db, Action.SESSIONS_ENDED, origin, customer_id=customer_id)
    return len(living)


async def end_everybodys(db: Writer) -> int:
    """End every living session, and tell how many."""
    audit.record(db, Action.SESSIONS_ENDED, Origin())
    return len(await _end(db, lives()))


async def purge(db: Writer, *, batch: int) -> int:
    """Delete some sessions that expired long ago, and tell how many.

    Their refresh tokens go with them, never before: a spent token of a session that may
    still live is the evidence of its reuse.
    """
    some = (
        select(SessionRow.id)
        .where(SessionRow.expires_at < clock.now() - KEPT)
        .limit(batch)
        .with_for_update(skip_locked=True)
    )
    return await delete_some(db, SessionRow, SessionRow.id, some)


def issue(db: Writer, session: SessionRow, token: str, lifetimes: Lifetimes) -> Opened:
    """Give a session a refresh token, of which only the digest is kept."""
    opened, issued = _issued(session, token, lifetimes)
    db.add(RefreshTokenRow(**issued))
    return opened


def _issued(session: AnySession, token: str, lifetimes: Lifetimes) -> tuple[Opened, dict[str, Any]]:
    expires_at = lifetimes.refreshable_until(session.created_at)
    issued = {
        "digest": refresh_secrets.digest(refresh_secrets.REFRESH, token),
        "session_id": session.id,
        "salt": refresh_secrets.new_salt(),
        "expires_at": expires_at,
    }
    return Opened(session, token, expires_at), issued


async def _end(db: Writer, *which: ColumnElement[bool]) -> Sequence[UUID]:
    """End sessions, and tell whose they were."""
    ending = (
        update(SessionRow)
        .where(*which, SessionRow.ended_at.is_(None))
        .values(ended_at=clock.now())
        .returning(SessionRow.customer_id)
        .execution_options(synchronize_session=False)
    )
    return (await db.scalars(ending)).all()


def lives(now: ColumnElement[datetime] | None = None) -> ColumnElement[bool]:
    """Say of which sessions a token is good."""
    return SessionRow.ended_at.is_(None) & (
        SessionRow.expires_at > (clock.now() if now is None else now)
    )


_SESSION: Final = columns(SessionRow, SessionRecord._fields)
_NOW: Final = bindparam("now", type_=Moment())
_LIVING: Final = Question(
    select(*_SESSION)
    .where(among(SessionRow.customer_id, "customer_ids"), lives(_NOW))
    .order_by(SessionRow.created_at.desc(), SessionRow.id.desc()),
    SessionRecord._make,
)


def _issue(session: Made) -> Insert:
    token = select(
        bindparam("digest", type_=Text()),
        session.c.id,
        bindparam("salt", type_=Text()),
        bindparam("refresh_expires_at", type_=Moment()),
    )
    return insert(RefreshTokenRow).from_select(
        ["digest", "session_id", "salt", "expires_at"], token
    )


def _end_oldest(session: Made) -> Update:
    """End those that are too many with a new one."""
    now = bindparam("created_at", type_=Moment())
    others = (
        select(SessionRow.id)
        .where(
            SessionRow.customer_id == select(session.c.customer_id).scalar_subquery(),
            SessionRow.id != bindparam("id", type_=Uuid()),
            lives(now),
        )
        .order_by(SessionRow.created_at.desc(), SessionRow.id.desc())
    )
    too_many = others.offset(MOST - 1)
    return update(SessionRow).where(SessionRow.id.in_(too_many)).values(ended_at=now)


_OPEN: Final = opening()
