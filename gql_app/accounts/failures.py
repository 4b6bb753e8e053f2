"""Failures: what is known of an account and a client before a password is looked at.

Accounts that there are cost as much as others: it is one statement, whose rows are the failures.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Self, TypeAlias
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Text,
    Uuid,
    bindparam,
    null,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute

from gql_app import clock
from gql_app.accounts.customers import has_address
from gql_app.accounts.identity import canonical_email, former_key
from gql_app.accounts.limits import PasswordLimits
from gql_app.accounts.records import CustomerRecord, columns
from gql_app.db.questions import Question, Reader, among
from gql_app.db.tables import CustomerRow, KnownClientRow, Moment, SessionRow, ThrottleRow
from gql_app.lib.network.addresses import client_of

Column: TypeAlias = InstrumentedAttribute[Any] | ColumnElement[Any]
HOUR: Final = timedelta(hours=1)


class Past(NamedTuple):
    """What happened before a try at a password."""

    times: Mapping[str, Sequence[float]]
    """When each subject failed."""
    seen_at: datetime | None
    """When the client was last noted as one of the account's."""
    oldest_sign_in: datetime | None = None
    """When the oldest of as many sign-ins was as are granted in an hour, if they are that many."""
    customer: CustomerRecord | None = None

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]], key: str | None = None) -> Self:
        """Return what the rows of an answer say, of which there is one at least.

        Its customer is whose address has the key, among those whom either key found.
        """
        times = {subject: times for subject, times, *_ in rows if subject}
        for _, _, seen_at, oldest_sign_in, *values in rows:
            customer = CustomerRecord._make(values) if any(values) else None
            if customer is None or canonical_email(customer.email) == key:
                return cls(times, seen_at, oldest_sign_in, customer)
        return cls(times, None)


async def of_account(
    db: Reader, key: str | None, limits: PasswordLimits, address: str | None, *, sign_ins: int
) -> Past:
    """Return what happened to an account by the key of its address, be there one or not."""
    now = clock.now()
    rows = await db.ask(
        _OF_ACCOUNT,
        key=key,
        former_key=former_key(key),
        hour_ago=now - HOUR,
        hour_ahead=now + HOUR,
        granted=sign_ins - 1,
        **_asked(limits, address),
    )
    return Past.of(rows, key)


async def of_customer(
    db: Reader, customer_id: UUID, limits: PasswordLimits, address: str | None
) -> Past:
    """Return what happened to the account of somebody who is signed in."""
    asked = _asked(limits, address)
    return Past.of(await db.ask(_OF_CUSTOMER, customer_id=customer_id, **asked))


def _asked(limits: PasswordLimits, address: str | None) -> dict[str, object]:
    return {"subjects": limits.subjects, "client": client_of(address)}


def _past(
    account: FromClause, customer_id: Column, oldest_sign_in: Column, *customer: Column
) -> Question[Sequence[Any]]:
    client = bindparam("client", type_=Text())
    known = (KnownClientRow.customer_id == customer_id) & (KnownClientRow.client == client)
    joined = account.outerjoin(KnownClientRow, known).outerjoin(
        ThrottleRow, among(ThrottleRow.subject, "subjects")
    )
    columns = (
        ThrottleRow.subject,
        ThrottleRow.times,
        KnownClientRow.seen_at,
        oldest_sign_in,
        *customer,
    )
    return Question(select(*columns).select_from(joined), tuple)


_NOTHING: Final = select(true()).subquery()
_OLDEST_SIGN_IN: Final = (
    select(SessionRow.created_at)
    .where(
        SessionRow.customer_id == CustomerRow.id,
        SessionRow.created_at > bindparam("hour_ago", type_=Moment()),
        SessionRow.created_at < bindparam("hour_ahead", type_=Moment()),
    )
    .order_by(SessionRow.created_at.desc())
    .limit(1)
    .offset(bindparam("granted", type_=Integer()))
    .correlate(CustomerRow)
    .scalar_subquery()
)
_OF_ACCOUNT: Final = _past(
    _NOTHING.outerjoin(CustomerRow, has_address()),
    CustomerRow.id,
    _OLDEST_SIGN_IN,
    *columns(CustomerRow, CustomerRecord._fields),
)
_OF_CUSTOMER: Final = _past(_NOTHING, bindparam("customer_id", type_=Uuid()), null())
