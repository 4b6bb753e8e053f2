"""The audit: what happened, written in the transaction of the deed itself.

Once that is committed, the log has a line of it, so that it is kept elsewhere as well.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

import structlog
from sqlalchemy import (
    JSON,
    ColumnElement,
    FromClause,
    Insert,
    Text,
    Uuid,
    bindparam,
    delete,
    event,
    false,
    insert,
    select,
    update,
)

from gql_app import clock
from gql_app.accounts.records import AuditRecord
from gql_app.db.deeds import Doer, Made
from gql_app.db.engine import Writer
from gql_app.db.questions import Reader
from gql_app.db.rows import insert_unless_there
from gql_app.db.tables import AuditRow, DeletedActorRow
from gql_app.lib.network.addresses import canonical
from gql_app.lib.pagination.list_query import Shape, Source
from gql_app.lib.pagination.pages import MAX_SIZE, Listing, Window
from gql_app.security.fair_queue import Party
from gql_app.security.ids import new_id

_log: Final = structlog.stdlib.get_logger(__name__)

MAX_ADDRESS: Final = 45
MAX_USER_AGENT: Final = 300


class Action(StrEnum):
    """Everything that is recorded, as noun:verb."""

    LOGIN = "session:login"
    LOGIN_FAILED = "session:login_failed"
    THROTTLED = "session:throttled"
    UNLOCKED = "session:unlock"
    REUSE = "session:reuse"
    REFRESH_RETRIED = "session:refresh_retry"
    REFRESH_REFUSED = "session:refresh_refused"
    TOKEN_REFUSED = "token:refused"
    LOGOUT = "session:logout"
    SESSION_ENDED = "session:end"
    SESSIONS_ENDED = "session:end_all"
    SESSIONS_PURGED = "session:purge"
    CUSTOMER_REGISTERED = "customer:register"
    REGISTRATION_THROTTLED = "customer:register_throttled"
    CUSTOMERS_SEEDED = "customer:seed"
    CUSTOMER_CREATED = "customer:create"
    CUSTOMER_IMPORTED = "customer:import"
    CUSTOMERS_EXPORTED = "customer:export"
    CUSTOMER_CHANGED = "customer:update"
    CUSTOMER_DELETED = "customer:delete"
    EMAIL_CHANGED = "email:change"
    PASSWORD_CHANGED = "password:change"
    PROOF_FAILED = "password:proof_failed"
    PROOF_THROTTLED = "password:proof_throttled"
    RESET_REQUESTED = "password:reset_request"
    PASSWORD_RESET = "password:reset"
    RESET_REFUSED = "password:reset_refused"
    KEY_CREATED = "key:create"
    KEY_PROMOTED = "key:promote"
    KEY_RETIRED = "key:retire"
    ADMIN_GRANTED = "admin:grant"
    ADMIN_REVOKED = "admin:revoke"


class Origin(NamedTuple):
    """Where a deed comes from: whose it is, from which address and program."""

    ip_address: str | None = None
    user_agent: str | None = None
    actor_id: UUID | None = None

    @property
    def party(self) -> Party:
        """Whom passwords are hashed for."""
        return Party.of(self.ip_address, self.actor_id)

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
    times: int = 1,
) -> None:
    """Record a deed, and whom it was done to; of fields the names, never the values.

    What happened several times is one event, which says so and has no line in the log.
    """
    if times > 1:
        fields = [f"{times} times"]
    else:
        tell(db, action, origin, customer_id=customer_id)
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


def tell(db: Doer, action: Action, origin: Origin, *, customer_id: UUID | None) -> None:
    """Have the log told of a deed once it is committed, as it is already but by a Writer."""

    def write(_: object = None) -> None:
        _log.info(
            "Audit",
            action=action,
            actor=origin.actor_id,
            customer=customer_id,
            client=canonical(origin.ip_address) if origin.ip_address else None,
        )

    if not structlog.is_configured():  # a command has no log, and says itself what it did
        return
    if isinstance(db, Writer):
        event.listen(db.sync_session, "after_commit", write)
    else:
        write()


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
    """Forget where from a customer did something to themself; that it was done stays.

    What nobody signed in did to the account, such as mistyping its password, most likely
    they did as well. Where from they did something to others is kept for a while: see purge().
    """
    by_them = AuditRow.actor_id == customer_id
    themself = (AuditRow.customer_id == customer_id) & (by_them | AuditRow.actor_id.is_(None))
    nobody = by_them & AuditRow.customer_id.is_(None)
    await db.execute(update(AuditRow).where(themself | nobody).values(_NOWHERE))
    left = select(AuditRow.id).where(by_them, _KNOWN_FROM).limit(1)
    if (await db.scalars(left)).first():
        now = clock.now()
        await insert_unless_there(db, DeletedActorRow, actor_id=customer_id, deleted_at=now)


async def purge(db: Writer, *, batch: int, kept: timedelta) -> int:
    """Forget where some of the deeds came from of who is gone for long, and return how many."""
    gone = select(DeletedActorRow.actor_id).where(DeletedActorRow.deleted_at < clock.now() - kept)
    some = (
        select(AuditRow.id)
        .where(AuditRow.actor_id.in_(gone), _KNOWN_FROM)
        .limit(batch)
        .with_for_update(skip_locked=True)
    )
    forgotten = await db.execute(
        update(AuditRow).where(AuditRow.id.in_(some)).values(_NOWHERE).returning(AuditRow.id)
    )
    count = len(forgotten.all())
    if count < batch:
        left = select(AuditRow.id).where(AuditRow.actor_id == DeletedActorRow.actor_id, _KNOWN_FROM)
        done = DeletedActorRow.actor_id.in_(gone) & ~left.exists()
        await db.execute(delete(DeletedActorRow).where(done))
    return count


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


_NOWHERE: Final = {"ip_address": None, "user_agent": None}
_KNOWN_FROM: Final = AuditRow.ip_address.is_not(None) | AuditRow.user_agent.is_not(None)
_SOURCE: Final = Source(AuditRow, _condition, _condition, _shown)
