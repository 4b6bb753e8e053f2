"""Authority: what a caller may change, decided in the transaction that changes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select

from gql_app.accounts.authentication import wrong_password
from gql_app.accounts.callers import ITS_SESSION
from gql_app.accounts.records import CUSTOMER, CustomerRecord
from gql_app.accounts.sessions import SignedIn
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.errors import AdminRequired, Rejected, TokenRevoked
from gql_app.lib import clock
from gql_app.lib.database import Query, Transaction, any_of
from gql_app.lib.throttling import Limit


@dataclass(frozen=True, slots=True)
class Authority:
    """What a caller's change stands on."""

    me: SignedIn
    admin: bool = False
    """Whether only admins may do it."""
    proven: str | None = None
    """The input's field with the password that was proven, if one was."""
    targets: Sequence[UUID] = ()
    """The other customers that it is done to."""
    unseats: bool = False
    """Whether an admin may be one no longer after it."""
    limit: Limit | None = None
    """What it counts against."""


async def hold(db: Transaction, authority: Authority) -> None:
    """Lock the caller's account and session as they are until the transaction ends.

    Raises TokenRevoked, AdminRequired, or Rejected if the password is not the proven one any
    more. All accounts that the transaction may lock are locked here, in the order of their ids,
    so that two admins who change each other don't wait for each other.
    """
    me = authority.me
    query = _ACCOUNTS_AND_ADMINS if authority.unseats else _ACCOUNTS
    accounts = await db.fetch_all(query, ids=[me.customer.id, *authority.targets])
    account = next((each for each in accounts if each.id == me.customer.id), None)
    if not account or not account.is_active:
        raise TokenRevoked
    session = {"session_id": me.session.id, "customer_id": me.customer.id, "now": clock.now()}
    if await db.fetch_one(_LIVING_SESSION, **session) is None:
        raise TokenRevoked
    if authority.admin and not account.is_admin:
        raise AdminRequired
    if authority.proven and account.password_hash != me.customer.password_hash:
        raise Rejected(wrong_password(authority.proven))


def _accounts(*, with_admins: bool) -> Query[CustomerRecord]:
    """Return the query that locks accounts by their ids and, if asked to, every active admin."""
    which: ColumnElement[bool] = any_of(CustomerRow.id, "ids")
    if with_admins:
        admins = select(CustomerRow.id).where(CustomerRow.is_admin, CustomerRow.is_active)
        which = CustomerRow.id.in_(admins.union_all(select(CustomerRow.id).where(which)))
    ordered = select(*CUSTOMER).where(which).order_by(CustomerRow.id)
    return Query(ordered.with_for_update(), CustomerRecord._make)


_ACCOUNTS: Final = _accounts(with_admins=False)
_ACCOUNTS_AND_ADMINS: Final = _accounts(with_admins=True)
_LIVING_SESSION: Final = Query(select(SessionRow.id).where(ITS_SESSION).with_for_update(), tuple)
