"""Sessions: each sign-in is one, and a token is as good as its session."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self
from uuid import UUID

from sqlalchemy import ColumnElement, select, update

from gql_app import clock
from gql_app.db.engine import Reader, Writer
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.security.ids import new_id
from gql_app.security.tokens import Claims

MAX_ADDRESS: Final = 45
MAX_USER_AGENT: Final = 300
USE_PRECISION: Final = timedelta(minutes=1)
"""How exactly a session's last use is known, so that reading need not always write."""


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from, as far as it says."""

    ip_address: str | None
    user_agent: str | None

    @classmethod
    def of(cls, ip_address: str | None, user_agent: str | None) -> Self:
        """Cut both to what is kept of them."""
        return cls(
            ip_address[:MAX_ADDRESS] if ip_address else None,
            user_agent[:MAX_USER_AGENT] if user_agent else None,
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: a living session of an active customer."""

    customer: CustomerRow
    session: SessionRow

    def may_see(self, customer_id: UUID) -> bool:
        """Tell whether the private fields of a customer are for the caller's eyes."""
        return self.customer.is_admin or self.customer.id == customer_id


async def open_session(
    db: Writer, customer: CustomerRow, client: Client, *, lifetime: int
) -> SessionRow:
    """Sign a customer in, for a number of seconds."""
    now = clock.now()
    row = SessionRow(
        id=new_id(),
        customer_id=customer.id,
        created_at=now,
        last_used_at=now,
        expires_at=clock.later(now, lifetime),
        ip_address=client.ip_address,
        user_agent=client.user_agent,
    )
    db.add(row)
    await db.flush()
    return row


async def caller(db: Reader, claims: Claims) -> Caller | None:
    """Find who bears a token, if its session lives and its customer exists and is active."""
    statement = (
        select(CustomerRow, SessionRow)
        .join(SessionRow, SessionRow.customer_id == CustomerRow.id)
        .where(
            SessionRow.id == claims.session_id,
            CustomerRow.id == claims.customer_id,
            CustomerRow.is_active,
            _lives(),
        )
    )
    found = (await db.execute(statement)).one_or_none()
    return Caller(*found) if found else None


def used_lately(row: SessionRow) -> bool:
    """Tell whether a session's last use is known exactly enough."""
    return clock.now() - row.last_used_at < USE_PRECISION


async def touch(db: Writer, row: SessionRow) -> None:
    """Note that a session is in use."""
    now = clock.now()
    await db.execute(
        update(SessionRow)
        .where(SessionRow.id == row.id, SessionRow.last_used_at < now)
        .values(last_used_at=now)
    )


async def living(db: Reader, customer_ids: Collection[UUID]) -> Mapping[UUID, Sequence[SessionRow]]:
    """List the living sessions of several customers, the newest first."""
    statement = (
        select(SessionRow)
        .where(SessionRow.customer_id.in_(customer_ids), _lives())
        .order_by(SessionRow.created_at.desc(), SessionRow.id.desc())
    )
    by_customer: dict[UUID, list[SessionRow]] = defaultdict(list)
    for row in await db.scalars(statement):
        by_customer[row.customer_id].append(row)
    return by_customer


async def end(db: Writer, session_id: UUID) -> None:
    """End a session."""
    await _end(db, SessionRow.id == session_id)


async def end_all(db: Writer, customer_id: UUID) -> None:
    """End every session of a customer."""
    await _end(db, SessionRow.customer_id == customer_id)


async def _end(db: Writer, which: ColumnElement[bool]) -> None:
    await db.execute(
        update(SessionRow).where(which, SessionRow.ended_at.is_(None)).values(ended_at=clock.now())
    )


def _lives() -> ColumnElement[bool]:
    return SessionRow.ended_at.is_(None) & (SessionRow.expires_at > clock.now())
