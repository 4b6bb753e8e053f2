"""Sessions: each sign-in opens one, and a token is valid only while its session is live.

A client from which a session was opened or refreshed recently is known to the account.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, exists, select, true, update

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.factors import challenges
from gql_app.accounts.permissions import READ_PRIVATE, Roles
from gql_app.accounts.proofs import PASSKEY, TWO_FACTORS, USER_VERIFIED
from gql_app.accounts.records import CUSTOMER, SESSION, CustomerRecord, SessionRecord
from gql_app.db.tables import CustomerRow, KnownClientRow, RefreshTokenRow, SessionRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.batching import group
from gql_app.lib.database import (
    Batch,
    Moment,
    Query,
    Reader,
    Transaction,
    any_of,
    insert_row,
    scalars,
    upsert,
)
from gql_app.lib.network import client_of
from gql_app.security import tokens

MAX_SESSIONS: Final = 20
"""The most live sessions with refresh tokens of one customer; one more ends the oldest."""
NO_CUSTOMER: Final = Fault(UserErrorCode.NOT_FOUND, "There is no such customer.", "customer_id")
SESSION_RETENTION: Final = timedelta(days=30)
"""How long a session is kept after it has expired."""
CLIENT_KNOWN_FOR: Final = timedelta(days=30)
"""How long a client stays known to an account after it was last seen."""
CLIENT_RETENTION: Final = timedelta(days=90)
"""How long a client is remembered; a sign-in from it is not reported as new until then."""
NEW_ACCOUNT_AGE: Final = timedelta(hours=1)
"""The age of an account up to which its first sign-in is not reported as new."""
CLIENT_PRECISION: Final = timedelta(hours=1)
"""The precision of the time a client was last seen, so that not every sign-in writes it."""


@dataclass(frozen=True, slots=True, repr=False)
class Lifetimes:
    """Lifetimes of sessions and tokens in seconds, and other settings for opening a session."""

    pepper: bytes
    """The secret that refresh tokens are derived with."""
    access: int
    refresh: int
    longest: int
    grace: int
    retry: int
    new_client_letters: bool = False
    """Whether a sign-in from a client that is new to the account is reported by letter."""

    def refreshable_until(self, created_at: datetime) -> datetime:
        """Return the time until which a session refreshed now can be refreshed again."""
        longest = clock.later(created_at, self.longest)
        return min(clock.later(clock.now(), self.refresh), longest)

    def living_until(self, created_at: datetime) -> datetime:
        """Return when the last of the tokens that are issued to a session now expires."""
        longest = clock.later(created_at, max(self.longest, self.access))
        access = min(clock.later(clock.now(), self.access), longest)
        return max(access, self.refreshable_until(created_at))


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A customer's session that was opened or refreshed, and its new refresh token."""

    customer: CustomerRecord
    session: SessionRecord
    refresh_token: str
    refresh_expires_at: datetime


class Caller(NamedTuple):
    """The caller of a request: everything that authorisation depends on."""

    customer_id: UUID
    session_id: UUID
    roles: str
    """The names of their roles, in the format of CustomerRecord.roles."""
    permissions: AbstractSet[str]
    """The permissions that these roles grant."""
    has_second_factor: bool = False
    """Whether signing in takes a second factor."""

    def may_see(self, customer_id: UUID | str) -> bool:
        """Return whether the caller may read the private fields of a customer."""
        return READ_PRIVATE in self.permissions or str(self.customer_id) == str(customer_id)


class SignedIn(NamedTuple):
    """A live session of an active customer."""

    customer: CustomerRecord
    session: SessionRecord

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """Return the customer and the session of a row with the columns CUSTOMER and SESSION."""
        customer, session = row[: len(CUSTOMER)], row[len(CUSTOMER) :]
        return cls(CustomerRecord._make(customer), SessionRecord._make(session))

    def caller(self, roles: Roles) -> Caller:
        """Return the caller in this session, with the permissions of their roles."""
        me, names = self.customer, self.customer.roles
        return Caller(me.id, self.session.id, names, roles[names], me.factors_version is not None)


def is_strong(methods: str) -> bool:
    """Return whether two factors were proven, or a passkey whose device verified its user."""
    known = {*methods.split()}
    return TWO_FACTORS in known or {PASSKEY, USER_VERIFIED} <= known


def proof_claims(session: SessionRecord) -> dict[str, object]:
    """Return the claims of tokens about a session's proof (RFC 9068 section 2.2.1).

    They are for other services; this API goes by the session's row.
    """
    methods = session.methods or ""
    return {
        "auth_time": int(session.authenticated_at.timestamp()),
        "amr": methods.split(),
        "acr": "2" if is_strong(methods) else "1",
    }


async def open_session(
    db: Transaction,
    customer: CustomerRecord,
    origin: Origin,
    lifetimes: Lifetimes,
    *,
    methods: str,
    proven_at: datetime | None = None,
    audience: str | None = None,
) -> Opened:
    """Open a session, whatever the proof of identity; the oldest beyond MAX_SESSIONS are ended.

    `methods` are those of the proof, which was given at `proven_at`, or now. With an audience the
    access tokens are for another service. The transaction holds the lock of the customer's row
    already, so that concurrent sign-ins wait for each other.
    """
    until = lifetimes.living_until(clock.now())
    session = await open_lasting_session(
        db, customer.id, origin, until, audience=audience, methods=methods, proven_at=proven_at
    )
    me = SignedIn(customer, session)
    opened = await issue(db, me, tokens.new_refresh_token(session.id), lifetimes)
    moment = session.created_at
    # Mostly there is none, and a SELECT locks nothing in the shards of a distributed database.
    oldest = await db.fetch_all(_OLDEST, whose=customer.id, newest=session.id, moment=moment)
    if oldest:
        await db.execute(_END_OLDEST, ids=oldest, moment=moment)
    await note_client(db, customer.id, origin.ip_address)
    return opened


async def open_lasting_session(
    db: Transaction,
    customer_id: UUID,
    origin: Origin,
    expires_at: datetime,
    *,
    audience: str | None = None,
    methods: str = "",
    proven_at: datetime | None = None,
) -> SessionRecord:
    """Open a session without a refresh token, such as that of a feature's API key.

    It lasts until it expires or is ended: newer sessions do not end it, and the feature itself
    limits their number. Without methods it never counts as a recent proof of identity.
    """
    now = clock.now()
    session = SessionRecord(
        id=clock.new_id(),
        customer_id=customer_id,
        created_at=now,
        last_used_at=now,
        expires_at=expires_at,
        ip_address=origin.ip_address,
        user_agent=origin.user_agent,
        audience=audience,
        wrote_at=None,
        authenticated_at=proven_at or now,
        methods=methods,
    )
    await db.execute(_INSERT, **session._asdict(), ended_at=None)
    return session


async def issue(db: Transaction, me: SignedIn, token: str, lifetimes: Lifetimes) -> Opened:
    """Issue a refresh token to a session; only its digest is stored."""
    expires_at = lifetimes.refreshable_until(me.session.created_at)
    await db.execute(
        _INSERT_TOKEN,
        digest=tokens.digest(tokens.REFRESH, token),
        session_id=me.session.id,
        salt=tokens.new_salt(),
        expires_at=expires_at,
        spent_at=None,
    )
    return Opened(*me, token, expires_at)


async def living(db: Reader, customer_ids: Sequence[UUID]) -> list[list[SessionRecord]]:
    """Return the live sessions of each of several customers, the newest first."""
    found = await db.fetch_all(_LIVING, customer_ids=customer_ids, now=clock.now())
    return group(found, customer_ids, by=lambda session: session.customer_id)


async def living_by_ids(db: Reader, ids: Sequence[UUID]) -> list[SessionRecord | None]:
    """Return the live session of each id, None where there is none."""
    rows = await db.fetch_all(_LIVING_BY_IDS, ids=ids, now=clock.now())
    sessions = {session.id: session for session in rows}
    return [sessions.get(session_id) for session_id in ids]


async def end(
    db: Transaction,
    session_id: UUID,
    *,
    of: UUID | None,
    origin: Origin,
    action: Action = Action.SESSION_ENDED,
) -> bool:
    """End a live session, of one customer or, with None, of any; return whether there was one."""
    whose = true() if of is None else SessionRow.customer_id == of
    ended = await _end(db, SessionRow.id == session_id, whose, lives())
    for customer_id in ended:
        await audit.record(db, action, origin, customer_id=customer_id)
    return bool(ended)


async def end_others(db: Transaction, session_id: UUID, *, of: UUID, origin: Origin) -> int:
    """End every session of a customer but the caller's, and challenges; return how many lived.

    Links stay valid: a thief, who needs no recent proof for this, must not keep the owner out.
    """
    others = SessionRow.id != session_id
    await challenges.void(db, of)
    ended = await _end(db, SessionRow.customer_id == of, others, lives())
    if ended:
        await audit.record(db, Action.SESSION_ENDED, origin, customer_id=of)
    return len(ended)


async def end_all(db: Transaction, customer_id: UUID) -> None:
    """End every session of a customer, and void their entrances."""
    await _end(db, SessionRow.customer_id == customer_id)
    await challenges.void_entrances(db, customer_id)


async def end_all_of(db: Transaction, customer_id: UUID, *, origin: Origin) -> int:
    """Do as end_all() does; return how many sessions were live. Raises Rejected: NOT_FOUND."""
    customer = select(CustomerRow.id).where(CustomerRow.id == customer_id).with_for_update()
    if await db.fetch_one(customer) is None:
        raise Rejected(NO_CUSTOMER)
    ended = await _end(db, SessionRow.customer_id == customer_id, lives())
    await challenges.void_entrances(db, customer_id)
    await audit.record(db, Action.SESSIONS_ENDED, origin, customer_id=customer_id)
    return len(ended)


def is_known_client(seen_at: datetime | None) -> bool:
    """Return whether a client last seen at this time is still known."""
    return seen_at is not None and clock.now() - seen_at < CLIENT_KNOWN_FOR


async def is_new_client(db: Reader, customer: CustomerRecord, address: str | None) -> bool:
    """Return whether a sign-in from an address is to be reported as from a new client.

    False without an address, and for the first sign-in to a new account, which is its owner's.
    """
    if not address:
        return False
    client, now = client_of(address), clock.now()
    seen = await db.fetch_one(
        _SEEN, customer_id=customer.id, client=client, since=now - CLIENT_RETENTION
    )
    return seen != client if seen else now - customer.created_at > NEW_ACCOUNT_AGE


async def note_client(db: Transaction, customer_id: UUID, address: str | None) -> None:
    """Record the client of an opened or refreshed session, unless seen within CLIENT_PRECISION."""
    if not address:
        return
    client, now = client_of(address), clock.now()
    seen_at = await db.fetch_one(_SEEN_AT, customer_id=customer_id, client=client)
    if seen_at is None or abs(now - seen_at) > CLIENT_PRECISION:  # a clock may be set back
        await db.execute(_UPSERT_CLIENT, customer_id=customer_id, client=client, seen_at=now)


async def forget_clients(db: Transaction, customer_id: UUID) -> None:
    """Delete every client of a customer."""
    await db.execute(delete(KnownClientRow).where(KnownClientRow.customer_id == customer_id))


def lives(now: ColumnElement[datetime] | None = None) -> ColumnElement[bool]:
    """Return the condition that a session is live, now or at the time of a parameter."""
    return SessionRow.ended_at.is_(None) & (
        SessionRow.expires_at > (clock.now() if now is None else now)
    )


async def _end(db: Transaction, *conditions: ColumnElement[bool]) -> Sequence[UUID]:
    """End sessions; return the id of the customer of each."""
    ending = (
        update(SessionRow)
        .where(*conditions, SessionRow.ended_at.is_(None))
        .values(ended_at=clock.now())
        .returning(SessionRow.customer_id)
    )
    return [row.customer_id for row in await db.fetch_all(ending)]


_INSERT: Final = Query(insert_row(SessionRow), tuple)
_INSERT_TOKEN: Final = Query(insert_row(RefreshTokenRow), tuple)
_MOMENT: Final = bindparam("moment", type_=Moment())
_OLDEST: Final = scalars(
    select(SessionRow.id)
    .where(
        SessionRow.customer_id == bindparam("whose"),
        SessionRow.id != bindparam("newest"),
        lives(_MOMENT),
        # open_lasting_session() issues none
        exists().where(RefreshTokenRow.session_id == SessionRow.id),
    )
    .order_by(SessionRow.created_at.desc(), SessionRow.id.desc())
    .offset(MAX_SESSIONS - 1)
)
_END_OLDEST: Final = Query(
    update(SessionRow).where(any_of(SessionRow.id, "ids")).values(ended_at=_MOMENT), tuple
)
_LIVING: Final = Query(
    select(*SESSION)
    .where(any_of(SessionRow.customer_id, "customer_ids"), lives(bindparam("now")))
    .order_by(SessionRow.created_at.desc(), SessionRow.id.desc()),
    SessionRecord._make,
)
_LIVING_BY_IDS: Final = Query(
    select(*SESSION).where(any_of(SessionRow.id, "ids"), lives(bindparam("now"))),
    SessionRecord._make,
)
_SEEN_AT: Final = scalars(
    select(KnownClientRow.seen_at).where(
        KnownClientRow.customer_id == bindparam("customer_id"),
        KnownClientRow.client == bindparam("client"),
    )
)
_SEEN: Final = scalars(
    select(KnownClientRow.client)
    .where(
        KnownClientRow.customer_id == bindparam("customer_id"),
        KnownClientRow.seen_at > bindparam("since"),
    )
    .order_by((KnownClientRow.client == bindparam("client")).desc())
    .limit(1)
)
"""The client if it was seen, else another client that was."""
_UPSERT_CLIENT: Final = upsert(KnownClientRow)
purge: Final = Batch(
    select(SessionRow.id).where(SessionRow.expires_at < bindparam("before")),
    delete(SessionRow),
    kept=SESSION_RETENTION,
).purge
"""Deletes at most a batch of sessions that expired SESSION_RETENTION ago; returns how many.

Their refresh tokens are deleted with them, never earlier: a spent token of a session that may
still be live is the evidence of its reuse.
"""
purge_clients: Final = Batch(
    select(KnownClientRow.customer_id, KnownClientRow.client).where(
        KnownClientRow.seen_at < bindparam("before")
    ),
    delete(KnownClientRow),
    kept=CLIENT_RETENTION,
).purge
"""Deletes at most a batch of clients not seen for CLIENT_RETENTION; returns how many."""
