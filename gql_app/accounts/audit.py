"""The audit: events, each written in the transaction of the change that it records.

After the commit a server logs the event, so that it is kept elsewhere as well. Guesses at
passwords and tokens are counted in memory, so that a flood of them writes little.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple, Self
from uuid import UUID

from sqlalchemy import Integer, bindparam, delete, func, select, update

from gql_app.accounts.records import AuditRecord, columns
from gql_app.db.tables import AuditRow, CustomerRow, DeletedActorRow
from gql_app.lib import clock
from gql_app.lib.database import (
    Batch,
    Database,
    EitherDialect,
    Query,
    Reader,
    Transaction,
    any_of,
    insert_row,
    scalars,
    upsert,
)
from gql_app.lib.fair_queue import Party
from gql_app.lib.network import canonical, client_of
from gql_app.lib.pagination import NOTHING, Condition, Listing, ListQuery
from gql_app.lib.tally import Due, Tally
from gql_app.lib.telemetry import get_logger, is_configured

_log: Final = get_logger(__name__)

RECORDED: Final = "events recorded"
"""The key of a transaction's `info` with the list of events that were recorded in it."""
MAX_ADDRESS: Final = 45
MAX_USER_AGENT: Final = 300
GUESS_INTERVAL: Final = 60
"""Seconds from one event of guesses of a kind, client and account to the next."""
MAX_GUESS_COUNTS: Final = 1_000
"""The most combinations of kind, client and account that are counted separately."""


class Action(StrEnum):
    """The actions that are recorded, as noun:verb."""

    LOGIN = "session:login"
    LOGIN_FAILED = "session:login_failed"
    SECOND_FACTOR_ASKED = "session:second_factor"
    SECOND_FACTOR_FAILED = "session:second_factor_failed"
    SECOND_FACTOR_THROTTLED = "session:second_factor_throttled"
    REAUTHENTICATED = "session:reauthenticate"
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
    AUDIT_PURGED = "audit:purge"
    CUSTOMER_REGISTERED = "customer:register"
    REGISTRATION_THROTTLED = "customer:register_throttled"
    CUSTOMERS_SEEDED = "customer:seed"
    CUSTOMER_CREATED = "customer:create"
    CUSTOMER_IMPORTED = "customer:import"
    CUSTOMERS_EXPORTED = "customer:export"
    CUSTOMER_CHANGED = "customer:update"
    CUSTOMER_DELETED = "customer:delete"
    EMAIL_CHANGED = "email:change"
    EMAIL_CHANGE_REQUESTED = "email:change_request"
    EMAIL_CHANGE_UNDONE = "email:change_undo"
    EMAIL_VERIFIED = "email:verify"
    EMAIL_DECLINED = "email:decline"
    VERIFICATION_REQUESTED = "email:verify_request"
    LINK_REFUSED = "link:refused"
    CUSTOMER_INVITED = "customer:invite"
    INVITATION_ACCEPTED = "customer:accept_invitation"
    REGISTRATION_REQUESTED = "customer:register_request"
    SIGN_IN_LINK_REQUESTED = "session:link_request"
    PASSWORD_CHANGED = "password:change"
    PROOF_FAILED = "password:proof_failed"
    PROOF_THROTTLED = "password:proof_throttled"
    RESET_REQUESTED = "password:reset_request"
    PASSWORD_RESET = "password:reset"
    RESET_REFUSED = "password:reset_refused"
    FACTOR_ADDED = "factor:add"
    FACTOR_RENAMED = "factor:rename"
    FACTOR_REMOVED = "factor:remove"
    FACTOR_UNDONE = "factor:undo"
    RECOVERY_CODES_RENEWED = "factor:renew_recovery_codes"
    RECOVERY_CODE_USED = "factor:recovery_code"
    PASSKEY_COPIED = "factor:counter"
    KEY_CREATED = "key:create"
    KEY_PROMOTED = "key:promote"
    KEY_RETIRED = "key:retire"
    ADMIN_GRANTED = "admin:grant"
    ADMIN_REVOKED = "admin:revoke"
    ROLE_GRANTED = "role:grant"
    ROLE_REVOKED = "role:revoke"
    LETTER_REFUSED = "letter:refused"
    LETTER_TESTED = "letter:test"


class Origin(NamedTuple):
    """The origin of a request: its IP address, user agent and caller."""

    ip_address: str | None = None
    user_agent: str | None = None
    actor_id: UUID | None = None

    @property
    def party(self) -> Party:
        """The client and the account as a party of the queue for hashing passwords."""
        return Party.of(self.ip_address, self.actor_id)

    @classmethod
    def of(cls, ip_address: str | None, user_agent: str | None) -> Self:
        """Return the origin of a request; the address is normalised, and both are truncated."""
        return cls(
            canonical(ip_address)[:MAX_ADDRESS] if ip_address else None,
            user_agent[:MAX_USER_AGENT] if user_agent else None,
        )

    def by(self, customer_id: UUID | None) -> Self:
        """Return the origin with a customer as the caller."""
        return self._replace(actor_id=customer_id)


class Recorded(NamedTuple):
    """An event that was recorded in a transaction, for hooks."""

    action: str
    at: datetime
    customer_id: UUID | None
    origin: Origin
    fields: Sequence[str]


def recorded(db: Transaction) -> list[Recorded]:
    """Return the list of events that were recorded in a transaction so far."""
    events = db.info.setdefault(RECORDED, [])
    assert isinstance(events, list)  # noqa: S101 — for mypy
    return events


async def record(
    db: Transaction,
    action: str,
    origin: Origin,
    *,
    customer_id: UUID | None = None,
    fields: Sequence[str] = (),
    times: int = 1,
    at: datetime | None = None,
) -> None:
    """Record an event, at this moment or another, and the customer that it concerns.

    Of fields the names are recorded and logged, never the values.
    An event that happened several times is recorded once, with the number, and is not logged.
    """
    if times > 1:
        fields = [f"{times} times"]
    elif is_configured():  # a command has no log, and prints what it did
        who = {"actor": origin.actor_id, "customer": customer_id, "client": origin.ip_address}
        db.after_commit(partial(_log.info, "Audit", action=action, **who, fields=fields))
    moment = at or clock.now()
    event = {"id": clock.new_id(), "at": moment, "action": action, "fields": fields}
    await db.execute(_INSERT, **event, customer_id=customer_id, **origin._asdict())
    recorded(db).append(Recorded(action, moment, customer_id, origin, fields))


async def record_each(
    db: Transaction, action: Action, origin: Origin, customer_ids: Iterable[UUID]
) -> None:
    """Record an event of each of many customers, without logging it."""
    event = {"at": clock.now(), "action": action, "fields": (), **origin._asdict()}
    events = [{**event, "id": clock.new_id(), "customer_id": each} for each in customer_ids]
    if events:
        await db.execute_many(_INSERT, events)


def listing(*, customer_id: UUID | None, action: str | None) -> Listing:
    """Return the list of events, the newest first, of one customer and of one action if given."""
    conditions: list[Condition] = []
    if customer_id is not None:
        conditions.append(_OF_CUSTOMER)
    if action is not None:
        conditions.append(NOTHING if "\0" in action else _OF_ACTION)  # no column can hold NUL
    values = {"customer_id": customer_id, "action": action}
    query = ListQuery(AuditRow, ("at",), descending=True, indexed=tuple(conditions))
    return Listing(query, values, identity=("audit", customer_id, action))


async def by_ids(db: Reader, ids: Sequence[UUID]) -> list[AuditRecord | None]:
    """Return the event of each id, None where there is none."""
    events = {event.id: event for event in await db.fetch_all(_BY_IDS, ids=ids)}
    return [events.get(event_id) for event_id in ids]


async def forget(db: Transaction, customer_id: UUID) -> None:
    """Delete the origins of what a deleted customer did to their own account; the events stay.

    That includes what was done to the account without a sign-in, such as mistyping its password.
    The origins of what they did to other accounts are kept for a while: see purge().
    """
    by_them = AuditRow.actor_id == customer_id
    own_account = (AuditRow.customer_id == customer_id) & (by_them | AuditRow.actor_id.is_(None))
    no_account = by_them & AuditRow.customer_id.is_(None)
    await db.execute(update(AuditRow).where(own_account | no_account).values(_NO_ORIGIN))
    others = select(AuditRow.id).where(by_them, _HAS_ORIGIN).limit(1)
    if await db.fetch_one(others):
        await db.execute(_INSERT_DELETED_ACTOR, actor_id=customer_id, deleted_at=clock.now())


async def undeleted(db: Transaction, customer_ids: Iterable[UUID]) -> list[UUID]:
    """Return those of some customers who exist, and can't be deleted until the transaction ends.

    An event that is recorded after its cause names an origin only if its customer is among them:
    forget() does not find it if the customer is gone already.
    """
    return await db.fetch_all(_UNDELETED, ids=sorted(customer_ids))


async def purge(db: Transaction, *, batch: int, kept: timedelta) -> int:
    """Delete at most a batch of origins of customers who were deleted long ago; return how many."""
    before = clock.now() - kept
    count = await _PURGE.apply(db, before=before, batch=batch)
    if count < batch and (expired := await db.fetch_all(_EXPIRED, before=before, batch=batch)):
        remaining = {*await db.fetch_all(_WITH_ORIGIN, ids=expired)}
        await db.execute(_DELETE_ACTORS, ids=[each for each in expired if each not in remaining])
    return count


class Guesses(Tally[Action, UUID, Origin]):
    """The guesses of one process that are yet to be recorded.

    The first of an action, client and account is recorded at once, the others as one event per
    GUESS_INTERVAL.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Take the clock."""
        super().__init__(places=MAX_GUESS_COUNTS, interval=GUESS_INTERVAL, others=Origin(), now=now)

    def note(self, action: Action, origin: Origin, customer_id: UUID | None = None) -> None:
        """Count a guess, at the password of a customer if one is given."""
        self.count(action, customer_id, client_of(origin.ip_address), origin)

    async def record(self, database: Database, *, last: bool = False) -> int:
        """Record the guesses that are due, or with `last` all; return the number of events.

        If that fails, they remain due. Raises Unavailable.
        """
        return await self.report(lambda due: database.transact(_record_guesses, due), last=last)


async def _record_guesses(db: Transaction, due: Sequence[Due[Action, UUID, Origin]]) -> None:
    """Record guesses, those at the password of a customer who is gone by now without an origin."""
    known = {None, *await undeleted(db, {each.owner for each in due if each.owner})}
    for action, customer_id, _, last, number in due:
        origin = last if customer_id in known else last._replace(**_NO_ORIGIN)
        await record(db, action, origin, customer_id=customer_id, times=number)


_BY_IDS: Final = Query(
    select(*columns(AuditRow, AuditRecord._fields)).where(any_of(AuditRow.id, "ids")),
    AuditRecord._make,
)
_INSERT: Final = Query(insert_row(AuditRow), tuple)
_INSERT_DELETED_ACTOR: Final = upsert(DeletedActorRow, update=())
_NO_ORIGIN: Final = {"ip_address": None, "user_agent": None}
_HAS_ORIGIN: Final = AuditRow.ip_address.is_not(None) | AuditRow.user_agent.is_not(None)
_UNDELETED: Final = scalars(
    select(CustomerRow.id)
    .where(any_of(CustomerRow.id, "ids"))
    .order_by(CustomerRow.id)
    .with_for_update(read=True, key_share=True)
)
_IS_EXPIRED: Final = DeletedActorRow.deleted_at < bindparam("before")
_BY_EXPIRED: Final = AuditRow.actor_id.in_(select(DeletedActorRow.actor_id).where(_IS_EXPIRED))
_PURGE: Final = Batch(
    select(AuditRow.id).where(_BY_EXPIRED, _HAS_ORIGIN), update(AuditRow).values(_NO_ORIGIN)
)
_EXPIRED_BATCH: Final = (
    select(DeletedActorRow.actor_id)
    .where(_IS_EXPIRED)
    .limit(bindparam("batch", type_=Integer()))
    .cte("batch")
)
_EXPIRED: Final = scalars(select(_EXPIRED_BATCH.c.actor_id))
_WITH_ORIGIN: Final = scalars(
    select(AuditRow.actor_id).where(any_of(AuditRow.actor_id, "ids"), _HAS_ORIGIN).distinct()
)
_DELETE_ACTORS: Final = delete(DeletedActorRow).where(any_of(DeletedActorRow.actor_id, "ids"))
_OF_CUSTOMER: Final = Condition(AuditRow.customer_id == bindparam("customer_id"))
_IS_ACTION: Final = AuditRow.action == bindparam("action")
_OF_ACTION: Final = Condition(EitherDialect(func.likely(_IS_ACTION), _IS_ACTION))
"""SQLite, which has no statistics, is told that an action finds more events than a customer."""
