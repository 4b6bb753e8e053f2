"""What every resolver needs: the context of a request, and arguments that may be left out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from uuid import UUID

import strawberry
from graphql import ResponsePath

from gql_app.accounts import audit, callers
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.callers import Authority, ProvingReader, Unproven
from gql_app.accounts.mail import letters
from gql_app.accounts.permissions import Roles
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import Caller, SignedIn
from gql_app.errors import (
    EnrolmentRequired,
    Refusal,
    Rejected,
    TokenMissing,
    TokenRevoked,
    Unauthenticated,
    UserErrorCode,
)
from gql_app.lib.batching import Batches
from gql_app.lib.clock import parse_id
from gql_app.lib.database import Database, Reader, Transaction, Unavailable
from gql_app.lib.engine import Document
from gql_app.lib.language_tags import preferred_language
from gql_app.lib.pagination import InvalidArgument, QueryReader, Window
from gql_app.resources import Resources
from gql_app.security.tokens import Identity

P = ParamSpec("P")
K = TypeVar("K")
R = TypeVar("R")
T = TypeVar("T")
V = TypeVar("V")
NOBODY: Final = UUID(int=0)
"""The id that stands for a malformed one: no row has it."""
CALLER_KEY: Final = "caller held"
"""The key of a transaction's `info` for the caller who was authorised in it."""
MAX_NAME: Final = 100
"""Characters of an operation's name that are logged."""


@dataclass(eq=False, repr=False)
class Context:
    """The context of one request only: its cached values are not valid for another one."""

    resources: Resources
    presented: Identity | Exception | None
    """The identity of the request's token, why that is not valid, or None without a token."""
    origin: Origin
    """Where the request comes from, without the caller."""
    request_id: str
    accept_language: Sequence[bytes] = ()
    """The Accept-Language headers of the request."""
    shield: Callable[[], None] = lambda: None
    """Lets the request finish though its client disconnects, so that a guess is counted."""
    operation: str = ""
    """The operation's name, for the log."""
    kind: str = "none"
    """Whether it is a query or a mutation, once that is known."""
    document: Document = field(init=False)
    """The operation's document, once that is known."""
    caller_id: UUID | None = None
    """The caller, once known, for the log."""
    refusals: frozenset[str] = frozenset()
    """The error codes of its payloads, for the log."""
    writes: bool = False
    """Whether a write was begun, which may be committed however the operation ends."""
    permitted: set[str] = field(default_factory=set)
    """The permissions that were checked so far; a feature's write() checks them again."""
    recent: bool = False
    """Whether a recent proof was required so far; a feature's write() requires it again."""
    authenticated: bool = False
    """Whether a signed-in caller was found so far; a feature's write() requires one again."""
    proven: Caller | None = None
    """The caller whom the statement of a list proved, or who has just signed in."""
    held: bool = False
    """Whether the caller must enrol a second factor first; only fields that `enrols` answer."""
    views: dict[tuple[str | int, ...], "Context"] = field(default_factory=dict)
    """The contexts of the fields below some paths, by these; the engine finds them."""
    _signed_in: SignedIn | TokenRevoked | None = None
    _posted: bool = False
    _loaders: dict[object, Batches[Any, Any]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def facts(self, outcome: str) -> dict[str, str | None]:
        """Return for the log the operation, its root fields, the caller and the outcome."""
        is_known = self.kind != Context.kind  # not if the document is refused
        root_fields = self.document.root_fields(self.operation or None) if is_known else ()
        return {
            "operation": self.operation[:MAX_NAME],
            "root_fields": " ".join(root_fields),
            "caller": str(self.caller_id) if self.caller_id else None,
            "outcome": outcome,
        }

    @property
    def roles(self) -> Roles:
        """All roles of the application."""
        return self.resources.extensions.roles

    @property
    def language(self) -> str | None:
        """The language that the client prefers (BCP 47), None if it says none."""
        return preferred_language(b",".join(self.accept_language).decode("latin-1"))

    @property
    def db(self) -> Database:
        """The database, to read from; each query takes a connection of its own."""
        return self.resources.database

    def settings_of(self, kind: type[T]) -> T:
        """Return the settings of a feature. Raises LookupError if no feature has this class."""
        return self.resources.extensions.settings_of(kind)

    async def transact(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns in a transaction, retried if that is rolled back.

        Afterwards the caller is authenticated and values are loaded anew. Raises Unavailable.
        """
        hooks = self.resources.hooks

        async def run(db: Transaction) -> R:
            result = await rule(db, *args, **kwargs)
            if hooks and (events := tuple(audit.recorded(db))):
                await hooks.within(self.resources, db, events)
                db.after_commit(partial(hooks.committed, events))
            if self.resources.standby and isinstance(self.presented, Identity):
                await callers.note_write(db, self.presented)
            if letters.POSTED in db.info:
                db.after_commit(self._note_posted)
            return result

        self.writes = True
        try:
            return await self.db.transact(run)
        finally:
            self._signed_in = self.proven = None
            self._loaders.clear()

    async def write_as(
        self,
        authority: Authority,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns, for a caller who is authorised again in its transaction.

        Every change by a signed-in caller is made by this. Raises what the field's permissions
        raise, Rejected if the password that was proven is another now, and Unavailable.
        """

        async def authorised(db: Transaction) -> R:
            policy = self.resources.proofs
            db.info[CALLER_KEY] = await callers.hold(db, authority, self.roles, policy)
            if authority.limit:
                await self.resources.throttle.count(db, authority.limit)
            return await rule(db, *args, **kwargs)

        return await self.transact(authorised)

    async def lists(self) -> QueryReader:
        """Return the reader of lists: the standby, if there is one, or the primary.

        Sessions that wrote lately, and operations that write, read the primary. Raises Unavailable.
        """
        standby = self.resources.standby
        if standby is None or self.writes:
            return self.db
        with suppress(Unauthenticated):
            if callers.wrote_lately((await self.signed_in()).session, self.resources.own_writes):
                return self.db
        return standby

    async def read_as_caller(self, work: Callable[[QueryReader, Caller], Awaitable[R]]) -> R:
        """Return what is read for the caller, whom the same statement authenticates.

        That saves a query for the caller, if the cache has them from an earlier request. Other
        refusals by the work are raised only once the caller is authenticated. With a standby the
        query is always made, as only the primary can answer it. Raises Unauthenticated.
        """
        identity, asked = self.presented, self._signed_in is not None or self._lock.locked()
        caller = None
        if isinstance(identity, Identity) and not asked and self.resources.standby is None:
            caller = self.resources.caller_cache.last_caller(identity)
        if caller:
            reader = ProvingReader(self.db, caller)
            with suppress(Unproven, Refusal, InvalidArgument):
                result = await work(reader, caller)
                if reader.proven:
                    self.caller_id, self.proven = caller.customer_id, caller
                    self.authenticated = True
                    return result
            self.resources.caller_cache.forget(caller)
        caller = await self.caller()
        return await work(await self.lists(), caller)

    @asynccontextmanager
    async def limit_taken_answers(self, customer_id: UUID | None = None) -> AsyncIterator[None]:
        """Count, by client and customer, a rejection of the block because an address is taken.

        Raises TooManyAttempts if a limit is reached already.
        """
        throttle = self.resources.throttle
        limits = throttle.of_taken(self.origin.ip_address, customer_id)
        await throttle.require_room(self.db, *limits)
        try:
            yield
        except Rejected as why:
            if UserErrorCode.TAKEN in why.codes:
                await self.transact(throttle.count, *limits)
            raise

    def with_note(self, message: str) -> str:
        """Return a message, with a note if a letter was due and mail is not set up."""
        if not self._posted or self.resources.mailer.open:
            return message
        return f"{message} Mail is not set up on this server, so no letter was sent."

    def note_guess(self, action: Action, customer_id: UUID | None = None) -> None:
        """Note a guess at a token, or at a customer's secret by the caller, for the audit."""
        actor = self.caller_id if customer_id else None
        self.resources.guesses.note(action, self.origin.by(actor), customer_id)

    def identity(self) -> Identity:
        """Return the identity of the token, even of an ended session. Raises Unauthenticated."""
        if isinstance(self.presented, Identity):
            return self.presented
        raise self.presented or TokenMissing()

    async def signed_in(self, *, enrols: bool = False) -> SignedIn:
        """Return the signed-in customer with the session, queried once for all fields.

        Raises Unauthenticated, EnrolmentRequired for a caller who must set up a second factor
        first, unless `enrols`, or Unavailable.
        """
        identity = self.identity()
        if self._signed_in is None:
            async with self._lock:
                self._signed_in = self._signed_in or await self._authenticate(identity)
        if isinstance(self._signed_in, TokenRevoked):
            raise self._signed_in
        self.held = self.resources.proofs.must_enrol(self._signed_in.customer)
        if self.held and not enrols:
            raise EnrolmentRequired
        return self._signed_in

    async def caller(self, *, enrols: bool = False) -> Caller:
        """Return the caller. Raises what signed_in() does."""
        return (await self.signed_in(enrols=enrols)).caller(self.roles)

    def view_as(self, caller: Caller, customer: CustomerRecord, *, below: ResponsePath) -> None:
        """Give the fields below a path a context of their own, that of who has just signed in."""
        me = Identity(caller.customer_id, caller.session_id)
        seen = replace(
            self, presented=me, permitted=set(), _signed_in=None, _loaders={}, _lock=asyncio.Lock()
        )
        seen.document, seen.views = self.document, {}
        seen.recent, seen.authenticated = False, True
        seen.held = self.resources.proofs.must_enrol(customer)
        seen.proven = None if seen.held else caller
        self.views[tuple(below.as_list())] = seen

    async def require_recent(self) -> None:
        """Raise ReauthenticationRequired unless the caller's proof of identity is recent."""
        me = await self.signed_in(enrols=True)
        await callers.require_recent(self.db, me, self.resources.proofs)

    def load(
        self, read: Callable[[Reader, list[K]], Awaitable[Sequence[V]]], key: K | str
    ) -> Awaitable[V]:
        """Return the value of one key, read in a batch with other keys that are loaded meanwhile.

        `read` is given all keys at once and returns the value of each, in their order: a whole
        page costs one statement. It is a function of a module, or what loader() made, and its
        values are cached until a write. An ID in the form of a UUID is passed as UUID.
        """
        known = self._loaders.get(read)
        if known is None:
            known = self._loaders[read] = Batches(partial(read, self.db))
        return known.load(parse_id(key) or key if isinstance(key, str) else key)

    def _note_posted(self) -> None:
        """Note that a letter is stored, and have it sent at once."""
        self._posted = True
        self.resources.posted.set()

    async def _authenticate(self, identity: Identity) -> SignedIn | TokenRevoked:
        me = await callers.find(self.db, identity)
        if me is None:
            return TokenRevoked()
        self.caller_id, self.authenticated = me.customer.id, True
        if not self.resources.proofs.must_enrol(me.customer):
            self.resources.caller_cache.remember(me.caller(self.roles))
        if not callers.used_lately(me.session):
            with suppress(Unavailable):  # a read does not fail because of this write
                async with self.db.transaction() as db:
                    await callers.touch(db, me.session)
        return me


def page_window(**given: Any) -> Window:  # noqa: ANN401 — as Window.of() has them
    """Return the window of a connection's arguments. Raises InvalidArgument."""
    return Window.of(**{name: or_null(value) for name, value in given.items()})


def or_null(value: T | None) -> T | None:
    """Return an argument's value, None if the client left it out."""
    return None if value is strawberry.UNSET else value


Info = strawberry.Info[Context, None]
