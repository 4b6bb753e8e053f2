"""What every resolver is given: the database, the resources, and who is asking."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from uuid import UUID

import strawberry

from gql_app.accounts import audit, callers, letters
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.callers import Authority, ProvingReader, Unproven
from gql_app.accounts.permissions import Roles
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
from gql_app.lib.pagination import InvalidArgument, QueryReader
from gql_app.resources import Resources
from gql_app.security.tokens import Identity

P = ParamSpec("P")
K = TypeVar("K")
R = TypeVar("R")
T = TypeVar("T")
V = TypeVar("V")
NOBODY: Final = UUID(int=0)
"""The id that is meant by one that is malformed: nobody has it."""
HELD: Final = "caller held"
"""The key of a transaction's `info` with the caller who was judged in it."""
MAX_NAME: Final = 100
"""Characters of an operation's name that are logged."""


@dataclass(eq=False, repr=False)
class Context:
    """One request: never more, for the answers it keeps are true of one request only."""

    resources: Resources
    presented: Identity | Exception | None
    """Whose session the request is of, why its token can't be gone by, or None if there is none."""
    origin: Origin
    """Where the request comes from; by_caller() adds whose it is."""
    request_id: str
    accept_language: Sequence[bytes] = ()
    """The Accept-Language headers of the request."""
    shield: Callable[[], None] = lambda: None
    """Has it go on though its client is gone: a guess is to be counted all the same."""
    operation: str = ""
    """What the operation is called, for the log."""
    kind: str = "none"
    """Whether it is a query or a mutation, once that is known."""
    document: Document = field(init=False)
    """The document that the operation is of, once that is known."""
    caller_id: UUID | None = None
    """The caller, once known, for the log."""
    refusals: frozenset[str] = frozenset()
    """The codes of what its payloads refuse, for the log."""
    writes: bool = False
    """Whether a write was begun: then it may be done, however the operation ends."""
    permitted: set[str] = field(default_factory=set)
    """The permissions by which the caller was let in so far; a write judges them again."""
    recent: bool = False
    """Whether a recent proof was asked for so far; a write asks again."""
    _signed_in: SignedIn | TokenRevoked | None = None
    _posted: bool = False
    _loaders: dict[object, Batches[Any, Any]] = field(default_factory=dict)
    _judging: asyncio.Lock = field(default_factory=asyncio.Lock)

    def facts(self, outcome: str) -> dict[str, str | None]:
        """Return for the log what was asked, by whom, and how it came out."""
        caller = str(self.caller_id) if self.caller_id else None
        return {
            "operation": self.operation[:MAX_NAME],
            "root_fields": " ".join(self._root_fields()),
            "caller": caller,
            "outcome": outcome,
        }

    def _root_fields(self) -> list[str]:
        """Return which root fields are asked for, none of a document that is refused."""
        is_known = self.kind != Context.kind
        return self.document.root_fields(self.operation or None) if is_known else []

    @property
    def roles(self) -> Roles:
        """The roles that there are."""
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
        """Return the settings of a feature. Raises LookupError if no feature has such ones."""
        return self.resources.extensions.settings_of(kind)

    async def transact(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns, run in a transaction, several times if that is undone.

        Who is asking is judged anew after it, and what was loaded is forgotten. Raises Unavailable.
        """
        hooks = self.resources.hooks

        async def run(db: Transaction) -> tuple[R, bool]:
            result = await rule(db, *args, **kwargs)
            if hooks and (events := tuple(audit.recorded(db))):
                await hooks.within(self.resources, db, events)
                db.after_commit(partial(hooks.committed, events))
            if self.resources.standby and isinstance(self.presented, Identity):
                await callers.note_write(db, self.presented)
            return result, letters.POSTED in db.info

        self.writes = True
        try:
            result, posted = await self.db.transact(run)
        finally:
            self._judge_anew()
        if posted:
            self._posted = True
            self.resources.posted.set()
        return result

    async def write_as(
        self,
        authority: Authority,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns, run for a caller who is judged again in its transaction.

        Every change that a signed-in caller makes is made by this. Raises what their permission
        would, Rejected if what they proved is so no longer, and Unavailable.
        """

        async def judged(db: Transaction) -> R:
            policy = self.resources.proofs
            db.info[HELD] = await callers.hold(db, authority, self.roles, policy)
            if authority.limit:
                await self.resources.throttle.count(db, authority.limit)
            return await rule(db, *args, **kwargs)

        return await self.transact(judged)

    async def lists(self) -> QueryReader:
        """Return what lists are read with: the standby, if there is one and the caller may.

        Who wrote lately reads from the primary, and so does what writes. Raises Unavailable.
        """
        standby = self.resources.standby
        if standby is None or self.writes:
            return self.db
        with suppress(Unauthenticated):
            if callers.wrote_lately((await self.signed_in()).session, self.resources.own_writes):
                return self.db
        return standby

    async def read_as_caller(self, work: Callable[[QueryReader, Caller], Awaitable[R]]) -> R:
        """Return what is read for the caller, who is proven by the statement that reads.

        That saves the question who is calling, if the same caller asked before. Whatever else the
        work is refused for waits until it is known who is refused. Where there is a standby, it is
        asked all the same, as only the primary knows who is calling. Raises Unauthenticated.
        """
        identity, asked = self.presented, self._signed_in is not None or self._judging.locked()
        caller = None
        if isinstance(identity, Identity) and not asked and self.resources.standby is None:
            caller = self.resources.caller_cache.last_caller(identity)
        if caller:
            reader = ProvingReader(self.db, caller)
            with suppress(Unproven, Refusal, InvalidArgument):
                result = await work(reader, caller)
                if reader.proven:
                    self.caller_id = caller.customer_id
                    return result
        caller = await self.caller()
        return await work(await self.lists(), caller)

    @asynccontextmanager
    async def telling_taken(self, customer_id: UUID | None = None) -> AsyncIterator[None]:
        """Count, for client and customer, that the block is rejected because an address is taken.

        Raises TooManyAttempts if there is no room for it.
        """
        throttle = self.resources.throttle
        limits = throttle.of_taken(self.origin.ip_address, customer_id)
        await throttle.require_room(self.db, *limits)
        try:
            yield
        except Rejected as why:
            if any(fault.code is UserErrorCode.TAKEN for fault in why.faults):
                await self.transact(throttle.count, *limits)
            raise

    def done(self, message: str) -> str:
        """Return a message, with a word about a letter that was due and that nobody will get."""
        if not self._posted or self.resources.mailer.open:
            return message
        return f"{message} Mail is not set up on this server, so no letter was sent."

    def guessed(self, action: Action, customer_id: UUID | None = None) -> None:
        """Note a guess for the audit: at a password of the caller's own, or at a token."""
        self.resources.guesses.note(action, self.origin._replace(actor_id=customer_id), customer_id)

    def identity(self) -> Identity:
        """Return whose session it is, whether or not it lives. Raises Unauthenticated."""
        if isinstance(self.presented, Identity):
            return self.presented
        raise self.presented or TokenMissing()

    async def signed_in(self, *, enrols: bool = False) -> SignedIn:
        """Return who is signed in, asked of the database once, however many fields want to know.

        Raises Unauthenticated, EnrolmentRequired unless it is asked for what also those may who
        must set up a second factor first, or Unavailable: then nobody knows.
        """
        identity = self.identity()
        if self._signed_in is None:
            async with self._judging:
                self._signed_in = self._signed_in or await self._judge(identity)
        if isinstance(self._signed_in, TokenRevoked):
            raise self._signed_in
        if not enrols and self.resources.proofs.must_enrol(self._signed_in.customer):
            raise EnrolmentRequired
        return self._signed_in

    async def caller(self, *, enrols: bool = False) -> Caller:
        """Return who is asking. Raises what signed_in() does."""
        return (await self.signed_in(enrols=enrols)).caller(self.roles)

    async def by_caller(self, *, enrols: bool = False) -> Origin:
        """Return where the request comes from and whose it is. Raises what signed_in() does."""
        me = await self.signed_in(enrols=enrols)
        return self.origin._replace(actor_id=me.customer.id)

    async def require_recent(self) -> None:
        """Raise ReauthenticationRequired unless the caller proved lately who they are."""
        me = await self.signed_in(enrols=True)
        await callers.require_recent(self.db, me, self.resources.proofs)

    def load(
        self, read: Callable[[Reader, list[K]], Awaitable[Sequence[V]]], key: K | str
    ) -> Awaitable[V]:
        """Return what is read of one key, together with whatever else is loaded at the time.

        `read` is given all keys at once and returns the value of each, in their order: a whole
        page costs one statement. It is a function of a module, or what loader() made, and its
        values are kept until something is written. An ID that is a UUID is one to it.
        """
        known = self._loaders.get(read)
        if known is None:
            known = self._loaders[read] = Batches(partial(read, self.db))
        return known.load(parse_id(key) or key if isinstance(key, str) else key)

    def _judge_anew(self) -> None:
        self._signed_in = None
        self._loaders.clear()

    async def _judge(self, identity: Identity) -> SignedIn | TokenRevoked:
        me = await callers.signed_in(self.db, identity)
        if me is None:
            return TokenRevoked()
        self.caller_id = me.customer.id
        if not self.resources.proofs.must_enrol(me.customer):
            self.resources.caller_cache.remember(me.caller(self.roles))
        if not callers.used_lately(me.session):
            with suppress(Unavailable):  # who may only read is not kept from it by this
                async with self.db.transaction() as db:
                    await callers.touch(db, me.session)
        return me


Info = strawberry.Info[Context, None]
