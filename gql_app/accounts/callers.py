"""Callers: the caller of a request, by the session of its access token, and what it may change.

To check a caller and then read takes two round trips. The check finds nothing new unless the
session has ended or its customer has changed, so that one is mostly enough: the query reads as for
the session's last caller, with a column that proves the caller unchanged. Only this column is the
proof, never a row or a count. What a caller may change is decided in the transaction of the change.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, select, true, update

from gql_app.accounts.authentication import wrong_password
from gql_app.accounts.factors import second_factors
from gql_app.accounts.permissions import WRITE_CUSTOMERS, Roles, lacking
from gql_app.accounts.proofs import ProofPolicy
from gql_app.accounts.records import CUSTOMER, SESSION, CustomerRecord, SessionRecord, roles_of
from gql_app.accounts.sessions import Caller, SignedIn, lives
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.errors import (
    AdminRequired,
    EnrolmentRequired,
    PermissionRequired,
    ReauthenticationRequired,
    Rejected,
    TokenRevoked,
)
from gql_app.lib import clock
from gql_app.lib.database import Moment, Query, Reader, Transaction, any_of
from gql_app.lib.rate_limits import Limit
from gql_app.security.tokens import Identity

USE_PRECISION: Final = timedelta(minutes=1)
"""The precision of the time of a session's last use, so that not every read writes it."""
MAX_CALLERS: Final = 2_048
"""The most callers in the cache; the least recently used are dropped."""
MAX_PROVING_QUERIES: Final = 512
"""The most queries of which the form with a proof is cached."""
PROVEN_BY: Final[Mapping[str, ColumnElement[Any]]] = {
    "customer_id": CustomerRow.id.expression,
    "session_id": SessionRow.id.expression,
    "roles": roles_of(),
    "has_second_factor": CustomerRow.factors_version.is_not(None),
}
"""The column that proves each field of a caller; a new field needs a column here."""
DERIVED: Final = frozenset({"permissions"})
"""Fields that are derived from others, and so need no proof."""
_PROOF: Final = itemgetter(-1)
_BEFORE_PROOF: Final = itemgetter(slice(-1))
"""The proof, which is the last column of a row, and the columns before it."""
T = TypeVar("T")


async def find(db: Reader, who: Identity) -> SignedIn | None:
    """Return the live session of an identity, with its active customer; None if there is none."""
    return await db.fetch_one(
        _SIGNED_IN, session_id=who.session_id, customer_id=who.customer_id, now=clock.now()
    )


def used_lately(session: SessionRecord) -> bool:
    """Return whether the recorded time of a session's last use is precise enough."""
    return clock.now() - session.last_used_at < USE_PRECISION


async def touch(db: Transaction, session: SessionRecord) -> None:
    """Record that a session is used now."""
    now = clock.now()
    await db.execute(
        update(SessionRow)
        .where(SessionRow.id == session.id, SessionRow.last_used_at < now)
        .values(last_used_at=now)
    )


def wrote_lately(session: SessionRecord, within: timedelta) -> bool:
    """Return whether a session wrote, or was opened, within this time."""
    return clock.now() - (session.wrote_at or session.created_at) < within


async def note_write(db: Transaction, who: Identity) -> None:
    """Record that a session writes now, so that no list it reads next is older than that."""
    await db.execute(_NOTE_WRITE, session_id=who.session_id, now=clock.now())


class CallerCache:
    """The last caller of each session, by session id; a cache with LRU eviction."""

    def __init__(self, size: int = MAX_CALLERS) -> None:
        self._size = size
        self._callers: OrderedDict[UUID, Caller] = OrderedDict()

    def remember(self, caller: Caller) -> None:
        """Remember a caller who was checked."""
        self._callers[caller.session_id] = caller
        if len(self._callers) > self._size:
            self._callers.popitem(last=False)

    def forget(self, caller: Caller) -> None:
        """Forget a caller who has changed, so that nothing more is read for them."""
        self._callers.pop(caller.session_id, None)

    def last_caller(self, identity: Identity) -> Caller | None:
        """Return the last caller in a session, None if there is none."""
        caller = self._callers.get(identity.session_id)
        if caller is None or caller.customer_id != identity.customer_id:
            return None
        self._callers.move_to_end(caller.session_id)
        return caller


class Unproven(Exception):
    """The caller has changed, or no row was read that would prove the contrary."""


class ProvingReader:
    """A reader on behalf of a caller, who is proven by its first query."""

    def __init__(self, db: Reader, caller: Caller) -> None:
        self._db: Final = db
        self._caller: Final = caller
        self.proven = False
        """Whether the session is live and in use, and the fields of the caller are unchanged."""

    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]:
        """Return what is built of each row of a SELECT.

        Raises Unproven, and returns nothing, if the caller has changed, or if there is no row,
        which proves nothing.
        """
        if self.proven:
            return await self._db.fetch_all(query, **values)
        now = clock.now()
        fields = tuple(name for name in self._caller._fields if name not in DERIVED)
        expected = {f"bearer_{name}": getattr(self._caller, name) for name in fields}
        expected |= {"bearer_now": now, "bearer_lately": now - USE_PRECISION}
        rows = await self._db.fetch_all(_proving(query, fields), **values, **expected)
        if not rows or not all(map(_PROOF, rows)):
            raise Unproven
        self.proven = True
        return list(map(query.build, map(_BEFORE_PROOF, rows)))


@lru_cache(MAX_PROVING_QUERIES)
def _proving(query: Query[T], fields: tuple[str, ...]) -> Query[Sequence[Any]]:
    """Return a query with the proof of its caller as last column.

    The proof is that the session is live and in use, and each field is as expected. It depends on
    no row, so that the database evaluates it once per statement, and is no condition as well, which
    would be evaluated again. Raises KeyError for a field without a column in PROVEN_BY, so that no
    caller is proven without it.
    """
    assert isinstance(query.statement, Select)  # noqa: S101 — for mypy
    expected = (PROVEN_BY[name] == bindparam(f"bearer_{name}") for name in fields)
    bearer = (
        select(true())
        .select_from(SessionRow)
        .join(CustomerRow, SessionRow.customer_id == CustomerRow.id)
        .where(*expected, *_IN_USE)
    )
    proof = exists(bearer.correlate(None))
    return Query(query.statement.add_columns(proof.label("proof")), tuple)


@dataclass(frozen=True, slots=True)
class Authority:
    """What a change by a caller requires, and what it affects."""

    me: SignedIn
    permissions: Collection[str] = ()
    """The permissions that it takes; none if it is a change of the caller alone."""
    as_admin: bool = False
    """Whether a missing permission is reported as AdminRequired, which clients know."""
    changes_access: bool = False
    """Whether the targets' address, password, state or roles change, or they are deleted."""
    grants: str = ""
    """The names of the roles that it grants."""
    password_field: str | None = None
    """The input field of the password that was proven, or of the account's lack of one."""
    targets: Sequence[UUID] = ()
    """The ids of the other customers that it changes."""
    may_remove_admin: bool = False
    """Whether it may deactivate, demote or delete an admin."""
    limit: Limit | None = None
    """The rate limit that it counts against."""
    recent: bool = False
    """Whether it takes a recent proof of identity."""
    enrols: bool = False
    """Whether it is allowed to a caller who has yet to set up a required second factor."""


admin_authority: Final = partial(
    Authority, permissions=(WRITE_CUSTOMERS,), as_admin=True, recent=True
)
"""Returns the authority for a change of other customers, which was once for admins only."""


async def hold(db: Transaction, authority: Authority, roles: Roles, policy: ProofPolicy) -> Caller:
    """Return the caller, whose account and session are locked until the transaction ends.

    Raises TokenRevoked, EnrolmentRequired, ReauthenticationRequired, PermissionRequired, or
    Rejected if the password is no longer the proven one. All accounts that the transaction may
    lock are locked here, in the order of their ids, so that two admins who change each other do
    not deadlock.
    """
    me = authority.me
    query = _ACCOUNTS_AND_ADMINS if authority.may_remove_admin else _ACCOUNTS
    accounts = await db.fetch_all(query, ids=[me.customer.id, *authority.targets])
    account = next((each for each in accounts if each.id == me.customer.id), None)
    if not account or not account.is_active:
        raise TokenRevoked
    its = {"session_id": me.session.id, "customer_id": me.customer.id, "now": clock.now()}
    session = await db.fetch_one(_LIVING_SESSION, **its)
    if session is None:
        raise TokenRevoked
    account = account._replace(roles=await check_permissions(db, authority, roles))
    if policy.must_enrol(account) and not authority.enrols:
        raise EnrolmentRequired
    if authority.recent:
        await require_recent(db, SignedIn(account, session), policy)
    if authority.password_field and account.password_hash != me.customer.password_hash:
        raise Rejected(wrong_password(authority.password_field))
    return SignedIn(account, session).caller(roles)


async def require_recent(db: Reader, me: SignedIn, policy: ProofPolicy) -> None:
    """Raise ReauthenticationRequired unless the customer's proof of identity is recent."""
    if not policy.is_recent(*me):
        methods = await second_factors.proof_methods(db, me.customer)
        raise ReauthenticationRequired(policy.offered(methods))


async def check_permissions(db: Reader, authority: Authority, roles: Roles) -> str:
    """Return the caller's roles, if they permit the change. Raises PermissionRequired.

    A caller can't grant a permission that they lack, or change the access of an account that has
    one. The roles are read again: after a wait for a lock, those read with it are outdated.
    """
    rows = await db.fetch_all(_ROLES, ids=[authority.me.customer.id, *authority.targets])
    held: dict[UUID, str] = dict(rows)
    mine = roles[held[authority.me.customer.id]]
    needed = [frozenset(authority.permissions), roles[authority.grants]]
    if authority.changes_access:
        needed += [roles[held[each]] for each in authority.targets if each in held]
    for each in needed:
        if missing := lacking(mine, each):
            raise (AdminRequired if authority.as_admin else PermissionRequired)(missing)
    return held[authority.me.customer.id]


def _accounts(*, with_admins: bool) -> Query[CustomerRecord]:
    """Return the query that locks accounts by their ids and, if wanted, every active admin."""
    which: ColumnElement[bool] = any_of(CustomerRow.id, "ids")
    if with_admins:
        admins = select(CustomerRow.id).where(CustomerRow.is_admin, CustomerRow.is_active)
        which = CustomerRow.id.in_(admins.union_all(select(CustomerRow.id).where(which)))
    ordered = select(*CUSTOMER).where(which).order_by(CustomerRow.id)
    return Query(ordered.with_for_update(), CustomerRecord._make)


ITS_SESSION: Final = and_(
    SessionRow.id == bindparam("session_id"),
    SessionRow.customer_id == bindparam("customer_id"),
    lives(bindparam("now")),
)
"""The condition that a token's session is live and belongs to the token's customer."""
_IN_USE: Final = (
    SessionRow.last_used_at > bindparam("bearer_lately"),
    lives(bindparam("bearer_now")),
    CustomerRow.is_active,
)
_SIGNED_IN: Final = Query(
    select(*CUSTOMER, *SESSION)
    .join(SessionRow, SessionRow.customer_id == CustomerRow.id)
    .where(ITS_SESSION, CustomerRow.is_active),
    SignedIn.of,
)
_NOTE_WRITE: Final = (
    update(SessionRow)
    .where(SessionRow.id == bindparam("session_id"))
    .values(wrote_at=bindparam("now", type_=Moment()))
)
_ACCOUNTS: Final = _accounts(with_admins=False)
_ACCOUNTS_AND_ADMINS: Final = _accounts(with_admins=True)
_ROLES: Final[Query[Any]] = Query(
    select(CustomerRow.id, roles_of()).where(any_of(CustomerRow.id, "ids")), tuple
)
_LIVING_SESSION: Final = Query(
    select(*SESSION).where(ITS_SESSION).with_for_update(), SessionRecord._make
)
