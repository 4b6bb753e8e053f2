"""The audit: what happened, written in the transaction of the deed itself."""

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

from sqlalchemy import (
    JSON,
    ColumnElement,
    FromClause,
    Insert,
    Text,
    Uuid,
    bindparam,
    false,
    insert,
    select,
    update,
)

from gql_app import clock
from gql_app.accounts.paging import MAX_SIZE, Listing, Window
from gql_app.accounts.records import AuditRecord
from gql_app.accounts.shapes import Shape, Source
from gql_app.addresses import canonical
from gql_app.db.deeds import Made
from gql_app.db.engine import Writer
from gql_app.db.questions import Reader
from gql_app.db.tables import AuditRow
from gql_app.security.ids import new_id

MAX_ADDRESS: Final = 45
MAX_USER_AGENT: Final = 300


class Action(StrEnum):
    """Everything that is recorded, as noun:verb."""

    LOGIN = "session:login"
    LOGIN_FAILED = "session:login_failed"
    THROTTLED = "session:throttled"
    REUSE = "session:reuse"
    LOGOUT = "session:logout"
    SESSION_ENDED = "session:end"
    SESSIONS_ENDED = "session:end_all"
    CUSTOMER_REGISTERED = "customer:register"
    CUSTOMER_CREATED = "customer:create"
    CUSTOMER_IMPORTED = "customer:import"
    CUSTOMERS_EXPORTED = "customer:export"
    CUSTOMER_CHANGED = "customer:update"
    CUSTOMER_DELETED = "customer:delete"
    EMAIL_CHANGED = "email:change"
    PASSWORD_CHANGED = "password:change"
    RESET_REQUESTED = "password:reset_request"
    PASSWORD_RESET = "password:reset"
    ADMIN_GRANTED = "admin:grant"
    ADMIN_REVOKED = "admin:revoke"


class Origin(NamedTuple):
    """Where a deed comes from: whose it is, from which address and program."""

    ip_address: str | None = None
    user_agent: str | None = None
    actor_id: UUID | None = None

    @classmethod
    def of(cls, ip_address: str | None, user_agent: str | None) -> Self:
        """Spell the address as all do, and cut both to what is kept of them."""
        return cls(
            canonical(ip_address)[:MAX_ADDRESS] if ip_address else None,
            user_agent[:MAX_USER_AGENT] if user_agent else None,
        )


def record(
    db: Writer,
    action: Action,
    origin: Origin,
    *,
    customer_id: UUID | None = None,
    fields: Sequence[str] = (),
) -> None:
    """Record a deed, and whom it was done to; of fields the names, never the values."""
    db.add(
        AuditRow(
            id=new_id(),
            at=clock.now(),
            action=action,
            actor_id=origin.actor_id,
            customer_id=customer_id,
            fields=list(fields),
            ip_address=origin.ip_address,
            user_agent=origin.user_agent,
        )
    )


def login(session: Made) -> Insert:
    """Record a sign-in as the session tells it."""
    of = session.c
    event = select(
        bindparam("event_id", type_=Uuid()),
        of.created_at,
        bindparam("action", Action.LOGIN, Text()),
        of.customer_id,
        of.customer_id,
        bindparam("fields", [], JSON()),
        of.ip_address,
        of.user_agent,
    )
    return insert(AuditRow).from_select(AuditRecord._fields, event)


def listing(*, customer_id: UUID | None, action: str | None) -> Listing:
    """Describe a list of events, the newest first; of what is no action there are none."""
    values: dict[str, object] = {}
    if customer_id is not None:
        values["customer_id"] = customer_id
    if action is not None:
        values["action" if action in set(Action) else "no_action"] = action
    shape = Shape(_SOURCE, tuple(values), (), ("at", "id"), descending=True)
    return Listing(shape, values, identity=("audit", customer_id, action))


async def forget(db: Writer, customer_id: UUID) -> None:
    """Forget where a customer's deeds came from; that they were done stays.

    What nobody signed in did to the account, such as mistyping its password, most likely
    they did as well.
    """
    of_nobody = AuditRow.actor_id.is_(None) & (AuditRow.customer_id == customer_id)
    await db.execute(
        update(AuditRow)
        .where((AuditRow.actor_id == customer_id) | of_nobody)
        .values(ip_address=None, user_agent=None)
    )


async def stream(db: Reader) -> AsyncIterator[AuditRecord]:
    """Read every event, the oldest first, a page at a time."""
    shape = Shape(_SOURCE, (), (), ("at", "id"), descending=False)
    everything = Listing(shape, {}, identity="all")
    window = Window(MAX_SIZE)
    while True:
        page = await everything.page(db, window, AuditRecord._fields)
        for row in page.rows:
            yield AuditRecord._make(row)
        if not page.has_next:
            return
        window = Window(MAX_SIZE, after=page.cursor(page.rows[-1]))


def _condition(_: Shape, name: str) -> ColumnElement[bool]:
    """Write a condition, whose value is a parameter of the same name."""
    match name:
        case "customer_id":
            return AuditRow.customer_id == bindparam(name, type_=Uuid())
        case "action":
            return AuditRow.action == bindparam(name, type_=Text())
        case _:
            return false()


def _shown(_: Shape, name: str, rows: FromClause) -> ColumnElement[Any]:
    return rows.c[name]


_SOURCE: Final = Source(AuditRow, _condition, _condition, _shown)
