"""Authority: what a caller's change stands on, judged again in the transaction that writes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from gql_app.accounts.authentication import wrong_password
from gql_app.accounts.callers import SignedIn
from gql_app.accounts.sessions import lives
from gql_app.db.engine import Writer
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.errors import AdminRequired, Rejected, TokenRevoked


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


async def hold(db: Writer, authority: Authority) -> None:
    """Hold the caller's account and session as they are until the transaction ends.

    Raises TokenRevoked, AdminRequired, or Rejected if the password is not the proven one any
    more. All accounts that the transaction may hold are held here, in the order of their ids,
    so that two admins who change each other don't wait for each other.
    """
    me = authority.me
    account = (await _accounts(db, authority)).get(me.customer.id)
    session = (
        select(SessionRow.id)
        .where(SessionRow.id == me.session.id, SessionRow.customer_id == me.customer.id, lives())
        .with_for_update()
    )
    lives_on = account and account.is_active and (await db.scalars(session)).first()
    if not account or not lives_on:
        raise TokenRevoked
    if authority.admin and not account.is_admin:
        raise AdminRequired
    if authority.proven and account.password_hash != me.customer.password_hash:
        raise Rejected(wrong_password(authority.proven))


class _Account(NamedTuple):
    """What is judged of an account."""

    id: UUID
    is_active: bool
    is_admin: bool
    password_hash: str


async def _accounts(db: Writer, authority: Authority) -> dict[UUID, _Account]:
    """Hold the caller, whom it is done to and, where one may go, every active admin."""
    named = CustomerRow.id.in_([authority.me.customer.id, *authority.targets])
    if authority.unseats:
        admins = select(CustomerRow.id).where(CustomerRow.is_admin, CustomerRow.is_active)
        named = CustomerRow.id.in_(admins.union_all(select(CustomerRow.id).where(named)))
    accounts = (
        select(*(getattr(CustomerRow, name) for name in _Account._fields))
        .where(named)
        .order_by(CustomerRow.id)
        .with_for_update()
    )
    return {row.id: _Account._make(row) for row in await db.execute(accounts)}
