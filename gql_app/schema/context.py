"""What every resolver is given: the database, the resources, and who is asking."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from typing import Concatenate, Final, ParamSpec, TypeVar
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from gql_app.accounts import callers, customers, letters, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.callers import Authority, ProvingReader, Unproven, hold
from gql_app.accounts.records import CustomerRecord, SessionRecord
from gql_app.accounts.sessions import Caller, SignedIn
from gql_app.errors import (
    Refusal,
    Rejected,
    TokenRevoked,
    TooManyAttempts,
    Unauthenticated,
    UserErrorCode,
)
from gql_app.lib.database import Database, Transaction, Unavailable
from gql_app.lib.engine import Document
from gql_app.lib.pagination import InvalidArgument, QueryReader
from gql_app.lib.throttling import Limit
from gql_app.resources import Resources
from gql_app.security.tokens import Claims

P = ParamSpec("P")
R = TypeVar("R")
MAX_NAME: Final = 100
"""Characters of an operation's name that are logged."""


class Context:
    """One request: never more, for the answers it keeps are true of one request only."""

    operation = ""
    """What the operation is called, for the log."""
    kind = "none"
    """Whether it is a query or a mutation, once that is known."""
    document: Document
    """The document that the operation is of, once that is known."""
    caller_id: UUID | None = None
    """The caller, once known, for the log."""
    refusals: frozenset[str] = frozenset()
    """The codes of what its payloads refuse, for the log."""
    writes = False
    """Whether a write was begun: then it may be done, however the operation ends."""
    _signed_in: SignedIn | Unauthenticated | None = None
    _posted = False

    def __init__(
        self,
        resources: Resources,
        *,
        presented: Claims | Unauthenticated,
        origin: Origin,
        request_id: str,
        shield: Callable[[], None] = lambda: None,
    ) -> None:
        self.resources: Final = resources
        self.presented: Final = presented
        """What the token says, or why there is none to go by; nothing is refused yet."""
        self.origin: Final = origin
        """Where the request comes from; by_caller() adds whose it is."""
        self.request_id: Final = request_id
        self.shield: Final = shield
        """Has it go on though its client is gone: a guess is to be counted all the same."""
        self._judging = asyncio.Lock()

    def facts(self, outcome: str) -> dict[str, str | None]:
        """Return for the log what was asked, by whom, and how it came out."""
        caller = str(self.caller_id) if self.caller_id else None
        return {"operation": self.operation[:MAX_NAME], "caller": caller, "outcome": outcome}

    @property
    def db(self) -> Database:
        """The database, to read from; each query takes a connection of its own."""
        return self.resources.database

    async def write(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns, run in a transaction, several times if that is undone.

        Who is asking is judged anew after it. Raises Unavailable.
        """

        async def run(db: Transaction) -> tuple[R, bool]:
            result = await rule(db, *args, **kwargs)
            return result, letters.POSTED in db.info

        self.writes = True
        result, posted = await self.db.transact(run)
        if posted:
            self._posted = True
            self.resources.posted.set()
        self._judge_anew()
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
            await hold(db, authority)
            return await rule(db, *args, **kwargs)

        try:
            return await self.write(judged)
        except (Refusal, Unavailable):
            self._judge_anew()
            raise

    async def read_as_caller(self, work: Callable[[QueryReader, Caller], Awaitable[R]]) -> R:
        """Return what is read for the caller, who is proven by the statement that reads.

        That saves the question who is calling, if the same caller asked before. Whatever else the
        work is refused for waits until it is known who is refused. Raises Unauthenticated.
        """
        caller = self._remembered()
        if caller:
            reader = ProvingReader(self.db, caller)
            with suppress(Unproven, Refusal, InvalidArgument):
                result = await work(reader, caller)
                if reader.proven:
                    self.caller_id = caller.customer_id
                    return result
        return await work(self.db, await self.caller())

    async def require_room(self, *limits: Limit) -> None:
        """Raise TooManyAttempts unless there is room for another attempt."""
        await self.resources.throttle.require_room(self.db, *limits)

    @asynccontextmanager
    async def limited(self, limits: Sequence[Limit], *, code: UserErrorCode) -> AsyncIterator[None]:
        """Count against limits what is rejected with a code within the block.

        Raises TooManyAttempts if there is no room for it.
        """
        await self.require_room(*limits)
        try:
            yield
        except Rejected as why:
            if any(fault.code is code for fault in why.faults):
                await self.write(self.resources.throttle.count, *limits)
            raise

    def done(self, message: str) -> str:
        """Return a message, with a word about a letter that was due and that nobody will get."""
        if not self._posted or self.resources.mailer.open:
            return message
        return f"{message} Mail is not set up on this server, so no letter was sent."

    def rejected(self, why: Rejected) -> None:
        """Note what a mutation refuses."""
        self.refusals |= {fault.code for fault in why.faults}
        if isinstance(why, TooManyAttempts):
            self.resources.metrics.throttled(why.limit)
            if action := self.resources.throttle.refused_as(why.limit):
                proof = action is Action.PROOF_THROTTLED
                self.guessed(action, self.caller_id if proof else None)

    def guessed(self, action: Action, customer_id: UUID | None = None) -> None:
        """Note a guess for the audit: at a password of the caller's own, or at a token."""
        self.resources.guesses.note(action, self.origin._replace(actor_id=customer_id), customer_id)

    async def signed_in(self) -> SignedIn:
        """Return who is signed in, asked of the database once, however many fields want to know.

        Raises Unauthenticated, or Unavailable: then nobody knows.
        """
        if self._signed_in is None:
            async with self._judging:
                self._signed_in = self._signed_in or await self._judge()
        if isinstance(self._signed_in, Unauthenticated):
            raise self._signed_in
        return self._signed_in

    async def caller(self) -> Caller:
        """Return who is asking. Raises Unauthenticated."""
        return (await self.signed_in()).caller

    async def by_caller(self) -> Origin:
        """Return where the request comes from and whose it is. Raises Unauthenticated."""
        return self.origin._replace(actor_id=(await self.caller()).customer_id)

    @cached_property
    def customers(self) -> DataLoader[UUID, CustomerRecord | None]:
        """Customers by their ids, as many as are there."""
        return DataLoader(load_fn=self._load_customers)

    @cached_property
    def sessions_of(self) -> DataLoader[UUID, Sequence[SessionRecord]]:
        """The living sessions of a customer; a page of customers costs one statement."""
        return DataLoader(load_fn=self._load_sessions)

    def _remembered(self) -> Caller | None:
        """Return who bore the token last, unless it is known or being asked who bears it."""
        claims, asked = self.presented, self._signed_in is not None or self._judging.locked()
        if asked or isinstance(claims, Unauthenticated):
            return None
        return self.resources.caller_cache.bearer(claims)

    def _judge_anew(self) -> None:
        self._signed_in = None
        for loader in ("sessions_of", "customers"):  # which are made when they are needed
            self.__dict__.pop(loader, None)

    async def _judge(self) -> SignedIn | Unauthenticated:
        if isinstance(self.presented, Unauthenticated):
            return self.presented
        found = await callers.signed_in(self.db, self.presented)
        if found is None:
            return TokenRevoked()
        self.caller_id = found.customer.id
        self.resources.caller_cache.remember(found.caller)
        if not callers.used_lately(found.session):
            with suppress(Unavailable):  # who may only read is not kept from it by this
                await self.db.once(callers.touch, found.session)
        return found

    async def _load_customers(self, ids: list[UUID]) -> list[CustomerRecord | None]:
        found = await customers.by_ids(self.db, ids)
        return [found.get(customer_id) for customer_id in ids]

    async def _load_sessions(self, customer_ids: list[UUID]) -> list[Sequence[SessionRecord]]:
        found = await sessions.living(self.db, customer_ids)
        return [found.get(customer_id, ()) for customer_id in customer_ids]


Info = strawberry.Info[Context, None]
