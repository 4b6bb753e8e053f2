"""Role grants: the roles of customers, as rows and in the audit log.

The role of an admin is a column of customers, so that it is only recorded here.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import delete

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.permissions import ADMIN
from gql_app.db.tables import CustomerRoleRow
from gql_app.lib.database import Transaction, insert_row


async def grant(
    db: Transaction, customer_id: UUID, roles: frozenset[str], *, origin: Origin
) -> None:
    """Give roles to a customer who has none of them, and record it."""
    await write(db, customer_id, frozenset(), roles)
    await record(db, customer_id, frozenset(), roles, origin)


async def write(
    db: Transaction, customer_id: UUID, had: frozenset[str], roles: frozenset[str]
) -> None:
    """Write the roles of a customer in place of those that they had."""
    removed, added = had - roles - {ADMIN}, roles - had - {ADMIN}
    if removed:
        of_theirs = CustomerRoleRow.customer_id == customer_id
        await db.execute(
            delete(CustomerRoleRow).where(of_theirs, CustomerRoleRow.role.in_(removed))
        )
    if added:
        rows = [{"customer_id": customer_id, "role": role} for role in sorted(added)]
        await db.execute_many(_INSERT, rows)


async def record(
    db: Transaction,
    customer_id: UUID,
    had: frozenset[str],
    roles: frozenset[str],
    origin: Origin,
) -> None:
    """Record each role that was granted or withdrawn."""
    for role in sorted(had ^ roles):
        granted = role in roles
        if role == ADMIN:
            action = Action.ADMIN_GRANTED if granted else Action.ADMIN_REVOKED
            await audit.record(db, action, origin, customer_id=customer_id)
        else:
            action = Action.ROLE_GRANTED if granted else Action.ROLE_REVOKED
            await audit.record(db, action, origin, customer_id=customer_id, fields=[role])


_INSERT: Final = insert_row(CustomerRoleRow)
