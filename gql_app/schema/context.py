"""What every resolver is given: handles to the database, and who is asking."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import cached_property
from typing import Concatenate, Final, ParamSpec, TypeVar
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from gql_app.accounts import callers, customers, letters, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.authority import Authority, hold
from gql_app.accounts.caller_cache import Proving, Unproven
from gql_app.accounts.callers import Caller, SignedIn
from gql_app.accounts.limits import Limit
from gql_app.accounts.records import CustomerRecord, SessionRecord
from gql_app.db.deeds import Deed
from gql_app.db.engine import Writer
from gql_app.db.questions import Reader
from gql_app.errors import (
    Refusal,
    Rejected,
    TokenRevoked,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
    UserErrorCode,
)
from gql_app.lib.engine import Document
from gql_app.resources import Resources
from gql_app.security.tokens import Claims

P = ParamSpec("P")
R = TypeVar("R")
_THROTTLED: Final = {
    "proof": Action.PROOF_THROTTLED,
    "proof from": Action.PROOF_THROTTLED,
    "proof anywhere": Action.PROOF_THROTTLED,
    "register from": Action.REGISTRATION_THROTTLED,
    "refresh from": Action.REFRESH_REFUSED,
    "reset with from": Action.RESET_REFUSED,
}
"""What the audit calls it when a limit is hit, by the limit's name."""
MAX_NAME: Final = 100
"""How much of an operation's name is logged."""


class Context:
    """One request: never more, for the answers it keeps are true of one request only."""

    operation = ""
    """What the operation is called, for the log."""
    kind = "none"
    """Whether it is a query or a mutation, once that is known."""
    document: Document
    """The document that the operation is of, once that is known."""
    caller_id: UUID | None = None
    """Whoever was found to be asking, for the log."""
    refusals: frozenset[str] = frozenset()
    """The codes of what its payloads refuse, for the log."""
    writes = False
    """Whether a write was begun: then it may be done, however the operation ends."""
    _signed_in: SignedIn | Unauthenticated | None = None
    _foreseen: object = None
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
        """Tell the log what was asked, by whom, and how it came out."""
        caller = str(self.caller_id) if self.caller_id else None
        return {"operation": self.operation[:MAX_NAME], "caller": caller, "outcome": outcome}

    def read(self) -> AbstractAsyncContextManager[Reader]:
        """Lend a handle to read with; fields that run side by side each take their own."""
        return self.resources.database.read()

    async def write(
        self,
        rule: Callable[Concatenate[Writer, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Have a rule write, which may run several times; who is asking is judged anew after it.

        Raises Unavailable.
        """

        async def run(db: Writer) -> tuple[R, bool]:
            result = await rule(db, *args, **kwargs)
            return result, letters.POSTED in db.info

        self.writes = True
        result, posted = await self.resources.database.transact(run)
        if posted:
            self._posted = True
            self.resources.posted.set()
        self._judge_anew()
        return result

    async def require_room(self, *limits: Limit) -> None:
        """Require room for another attempt, before it costs anything. Raises TooManyAttempts."""
        async with self.read() as db:
            await self.resources.throttle.require_room(db, *limits)

    @asynccontextmanager
    async def telling_taken(self, customer_id: UUID | None = None) -> AsyncIterator[None]:
        """Limit how often a client, and an account, is told that an e-mail address is taken.

        Raises TooManyAttempts.
        """
        limits = self.resources.throttle.of_taken(self.origin.ip_address, customer_id)
        await self.require_room(*limits)
        try:
            yield
        except Rejected as why:
            if any(fault.code is UserErrorCode.TAKEN for fault in why.faults):
                await self.write(self.resources.throttle.count, *limits)
            raise

    async def write_as(
        self,
        authority: Authority,
        rule: Callable[Concatenate[Writer, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Have a rule write for a caller, who is judged again in its transaction.

        Every change that a signed-in caller makes is made by this. Raises what their permission
        would, Rejected if what they proved is so no longer, and Unavailable.
        """

        async def judged(db: Writer) -> R:
            await hold(db, authority)
            return await rule(db, *args, **kwargs)

        try:
            return await self.write(judged)
        except Refusal:
            self._judge_anew()
            raise

    async def do(self, deed: Deed, /, **values: object) -> bool:
        """Do a deed, after which who is asking is judged anew. Raises Unavailable."""
        self.writes = True
        done = await self.resources.database.do(deed, **values)
        self._judge_anew()
        return done

    def done(self, message: str) -> str:
        """Add to a message that a letter was due which nobody will get."""
        if not self._posted or self.resources.mailer.open:
            return message
        return f"{message} Mail is not set up on this server, so no letter was sent."

    def rejected(self, why: Rejected) -> None:
        """Note what a mutation refuses."""
        self.refusals |= {fault.code for fault in why.faults}
        if isinstance(why, TooManyAttempts):
            self.resources.metrics.throttled(why.limit)
            if action := _THROTTLED.get(why.limit):
                proof = action is Action.PROOF_THROTTLED
                self.guessed(action, self.caller_id if proof else None)

    def guessed(self, action: Action, customer_id: UUID | None = None) -> None:
        """Note a guess for the audit: at a password of the caller's own, or at a token."""
        self.resources.guesses.note(action, self.origin._replace(actor_id=customer_id), customer_id)

    async def signed_in(self) -> SignedIn:
        """Find who is signed in. The database is asked once, however many fields want to know.

        Raises Unauthenticated, or Unavailable: then nobody knows.
        """
        if self._signed_in is None:
            async with self._judging:
                self._signed_in = self._signed_in or await self._judge()
        if isinstance(self._signed_in, Unauthenticated):
            raise self._signed_in
        return self._signed_in

    async def caller(self) -> Caller:
        """Tell who is asking. Raises Unauthenticated."""
        return (await self.signed_in()).caller

    async def foresees(self, work: Callable[[Caller, Reader], Awaitable[object]]) -> bool:
        """Do a field's work for whoever bore the token last; tell whether that is who asks.

        Whatever else it is refused for waits until it is known who is refused.
        """
        claims = self.presented
        if self._signed_in is not None or isinstance(claims, Unauthenticated):
            return False
        caller = self.resources.presumed.bearer(claims)
        if caller is None:
            return False
        async with self.read() as db:
            proving = Proving(db, caller)
            try:
                found = await work(caller, proving)
            except Unavailable:
                raise
            except (Unproven, Refusal):
                return False
        if proving.proven:
            self.caller_id = caller.customer_id
            self._foreseen = found
        return proving.proven

    def foreseen(self) -> object:
        """Tell what the work came to that was done ahead; None if there was none."""
        return self._foreseen

    async def by_caller(self) -> Origin:
        """Tell where the request comes from and whose it is. Raises Unauthenticated."""
        return self.origin._replace(actor_id=(await self.caller()).customer_id)

    @cached_property
    def customers(self) -> DataLoader[UUID, CustomerRecord | None]:
        """Customers by their ids, as many as are there."""
        return DataLoader(load_fn=self._load_customers)

    @cached_property
    def sessions_of(self) -> DataLoader[UUID, Sequence[SessionRecord]]:
        """The living sessions of a customer; a page of customers costs one statement."""
        return DataLoader(load_fn=self._load_sessions)

    def _judge_anew(self) -> None:
        self._signed_in = None
        for loader in ("sessions_of", "customers"):  # which are made when they are needed
            self.__dict__.pop(loader, None)

    async def _judge(self) -> SignedIn | Unauthenticated:
        if isinstance(self.presented, Unauthenticated):
            return self.presented
        async with self.read() as db:
            found = await callers.signed_in(db, self.presented)
        if found is None:
            return TokenRevoked()
        self.caller_id = found.customer.id
        self.resources.presumed.remember(found.caller)
        if not callers.used_lately(found.session):
            with suppress(Unavailable):  # who may only read is not kept from it by this
                await self.resources.database.once(callers.touch, found.session)
        return found

    async def _load_customers(self, ids: list[UUID]) -> list[CustomerRecord | None]:
        async with self.read() as db:
            found = await customers.by_ids(db, ids)
        return [found.get(customer_id) for customer_id in ids]

    async def _load_sessions(self, customer_ids: list[UUID]) -> list[Sequence[SessionRecord]]:
        async with self.read() as db:
            found = await sessions.living(db, customer_ids)
        return [found.get(customer_id, ()) for customer_id in customer_ids]


Info = strawberry.Info[Context, None]
