"""Callers: who is asking, by the session of the token that they bear."""

from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select, update

from gql_app import clock
from gql_app.accounts.records import (
    AnyCustomer,
    AnySession,
    CustomerRecord,
    SessionRecord,
    columns,
)
from gql_app.accounts.sessions import lives
from gql_app.db.engine import Writer
from gql_app.db.questions import Question, Reader
from gql_app.db.tables import CustomerRow, Moment, SessionRow
from gql_app.security.tokens import Claims

USE_PRECISION: Final = timedelta(minutes=1)
"""How exactly a session's last use is known, so that reading need not always write."""


class Caller(NamedTuple):
    """Who is asking: all that decides on what they may see and do."""

    customer_id: UUID
    session_id: UUID
    is_admin: bool

    def may_see(self, customer_id: UUID) -> bool:
        """Tell whether the private fields of a customer are for the caller's eyes."""
        return self.is_admin or self.customer_id == customer_id


class SignedIn(NamedTuple):
    """A living session of an active customer."""

    customer: AnyCustomer
    session: AnySession

    @property
    def caller(self) -> Caller:
        """Tell who is asking in this session."""
        return Caller(self.customer.id, self.session.id, self.customer.is_admin)


async def signed_in(db: Reader, claims: Claims) -> SignedIn | None:
    """Find who bears a token, if its session lives and its customer exists and is active."""
    found = await db.ask(
        _SIGNED_IN, session_id=claims.session_id, customer_id=claims.customer_id, now=clock.now()
    )
    return found[0] if found else None


def used_lately(row: AnySession) -> bool:
    """Tell whether a session's last use is known exactly enough."""
    return clock.now() - row.last_used_at < USE_PRECISION


async def touch(db: Writer, row: AnySession) -> None:
    """Note that a session is in use."""
    now = clock.now()
    await db.execute(
        update(SessionRow)
        .where(SessionRow.id == row.id, SessionRow.last_used_at < now)
        .values(last_used_at=now)
    )


_CUSTOMER: Final = columns(CustomerRow, CustomerRecord._fields)
_SESSION: Final = columns(SessionRow, SessionRecord._fields)
_SIGNED_IN: Final = Question(
    select(*_CUSTOMER, *_SESSION)
    .join(SessionRow, SessionRow.customer_id == CustomerRow.id)
    .where(
        SessionRow.id == bindparam("session_id", type_=Uuid()),
        CustomerRow.id == bindparam("customer_id", type_=Uuid()),
        CustomerRow.is_active,
        lives(bindparam("now", type_=Moment())),
    ),
    lambda row: SignedIn(
        CustomerRecord._make(row[: len(_CUSTOMER)]), SessionRecord._make(row[len(_CUSTOMER) :])
    ),
)
