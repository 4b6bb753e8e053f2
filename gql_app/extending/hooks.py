"""Hooks: what features have run when something has happened, or is about to.

`Feature.on` runs after the commit, beside the requests; `Feature.within` runs in the transaction
and may refuse it. Both are by the name of an event: one of EVENTS, or an action that a feature has
declared and records by tx.audit(). Commands of the command line run no hooks, and neither does what
a hook does itself.
"""

import asyncio
from asyncio import Task
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, Final, ParamSpec, TypeAlias, TypeVar, overload
from uuid import UUID

from gql_app.accounts.audit import Action, Origin, Recorded
from gql_app.extending.transaction import Transaction, transact
from gql_app.lib import database
from gql_app.lib.database import Query, Statement
from gql_app.lib.fair_queue import FairQueue, Party
from gql_app.lib.telemetry import get_logger
from gql_app.resources import Hooks, Resources

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
EVENTS: Final[Mapping[str, frozenset[Action]]] = {
    "customer:registered": frozenset({Action.CUSTOMER_REGISTERED}),
    "customer:created": frozenset({Action.CUSTOMER_CREATED}),
    "customer:updated": frozenset({Action.CUSTOMER_CHANGED}),
    "customer:deleted": frozenset({Action.CUSTOMER_DELETED}),
    "email:changed": frozenset({Action.EMAIL_CHANGED}),
    "email:declined": frozenset({Action.EMAIL_DECLINED}),
    "email:restored": frozenset({Action.EMAIL_CHANGE_UNDONE}),
    "email:verified": frozenset({Action.EMAIL_VERIFIED}),
    "password:changed": frozenset(
        {Action.PASSWORD_CHANGED, Action.PASSWORD_RESET, Action.INVITATION_ACCEPTED}
    ),
    "session:opened": frozenset({Action.LOGIN}),
    "session:ended": frozenset(
        {Action.LOGOUT, Action.SESSION_ENDED, Action.SESSIONS_ENDED, Action.REUSE}
    ),
}
"""Our events, and what the audit calls what they are. `customer:updated` comes with each change of
a customer's fields, before `email:changed` if that is among them. `session:ended` is for those that
somebody ends: not for those that expire, or end with a password or an account."""
MAX_WAITING: Final = 1_000
"""Hooks that wait at most, a client's a quarter of them; what comes then is dropped, and logged."""
RUNNING: Final = 4
"""Hooks that run at once."""
TIMEOUT: Final = 30
"""Seconds that a hook has."""
DRAIN_TIMEOUT: Final = 10
"""Seconds that a process which stops waits for its hooks."""
_log: Final = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, or is about to be committed."""

    name: str
    """One of EVENTS, or a feature's action."""
    at: datetime
    customer_id: UUID | None
    """The customer whom it concerns."""
    actor_id: UUID | None
    """The customer who did it; None where nobody was signed in."""
    fields: Sequence[str] = ()
    """Python's names of the fields that were changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedEvent(Event):
    """Something that has happened, for a hook that reads and writes on its own."""

    resources: Resources

    @overload
    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]: ...
    @overload
    async def fetch_all(self, query: Statement, /, **values: object) -> list[Any]: ...
    async def fetch_all(self, query: Query[Any] | Statement, /, **values: object) -> list[Any]:
        """Return what is built of each row, as Transaction.fetch_all() does."""
        return await self.resources.database.fetch_all(query, **values)

    async def write(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns: `rule(tx, ...)` runs in a transaction without a caller.

        Raises what the rule raises, and Unavailable.
        """
        return await transact(self.resources, rule, *args, **kwargs)


After: TypeAlias = Callable[[CommittedEvent], Awaitable[None]]
"""Runs after the commit of an event; if it fails, that is logged, and harms nobody."""
Within: TypeAlias = Callable[[Transaction, Event], Awaitable[None]]
"""Runs in an event's transaction before the commit; if it raises Refused, nothing is done."""


@dataclass(frozen=True, slots=True)
class _Hook:
    """A hook, and whose it is."""

    feature: str
    run: Callable[..., Awaitable[None]]


class FeatureHooks(Hooks):
    """The hooks of features, and those that wait to run."""

    def __init__(
        self,
        on: Sequence[tuple[str, Mapping[str, After]]],
        within: Sequence[tuple[str, Mapping[str, Within]]],
    ) -> None:
        """Take the hooks of each feature, which have events by these names."""
        self._on: Final = _by_event(on)
        self._within: Final = _by_event(within)
        self._places: Final = FairQueue(places=RUNNING, waiting=MAX_WAITING)
        self._tasks: Final[set[Task[None]]] = set()
        """Of the hooks that wait or run."""
        self._resources: Resources | None = None
        self._context: Context | None = None
        """What hooks run in: not a request's, which is over by then."""

    async def within(
        self, resources: Resources, db: database.Transaction, events: Sequence[Recorded]
    ) -> None:
        """Run the hooks of a transaction, one after the other. Raises what they raise."""
        for event, name in _named(events):
            for hook in self._within.get(name, ()):
                origin = Origin(actor_id=event.origin.actor_id)
                tx = Transaction(db, resources, None, origin)
                await hook.run(tx, Event(**_facts(event, name)))

    def committed(self, events: Sequence[Recorded]) -> None:
        """Queue the hooks of what has happened: the clients who did it take turns."""
        if self._resources is None or self._context is None:
            return
        for event, name in _named(events):
            for hook in self._on.get(name, ()):
                happened = CommittedEvent(**_facts(event, name), resources=self._resources)
                running = self._run(hook, happened, event.origin.party)
                task = asyncio.create_task(running, context=self._context.copy())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    @asynccontextmanager
    async def running(self, resources: Resources) -> AsyncIterator[None]:
        """Run hooks for as long as the block lasts, and wait a while for those that are left."""
        self._resources, self._context = resources, copy_context()
        try:
            yield
        finally:
            try:
                async with asyncio.timeout(DRAIN_TIMEOUT):
                    await self.done()
            except TimeoutError:
                _log.error("Hooks were left behind", count=self._places.waiting)
            self._resources = None
            left = [*self._tasks]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def done(self) -> None:
        """Return when no hook waits or runs."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, hook: _Hook, event: Event, party: Party) -> None:
        try:
            async with self._places.place(party), asyncio.timeout(TIMEOUT):
                await hook.run(event)
        except asyncio.QueueFull:
            _log.error("Too many hooks wait: dropped", feature=hook.feature, hook=event.name)
        except Exception:  # noqa: BLE001 — a hook harms nobody
            _log.exception("A hook failed", feature=hook.feature, hook=event.name)


_NAMES: Final = {action: name for name, actions in EVENTS.items() for action in actions}


def _by_event(
    hooks: Sequence[tuple[str, Mapping[str, Callable[..., Awaitable[None]]]]],
) -> Mapping[str, Sequence[_Hook]]:
    by_event: dict[str, list[_Hook]] = {}
    for feature, by_name in hooks:
        for name, run in by_name.items():
            by_event.setdefault(name, []).append(_Hook(feature, run))
    return by_event


def _named(events: Sequence[Recorded]) -> list[tuple[Recorded, str]]:
    """Return what was recorded with the names of its events."""
    return [(each, _NAMES.get(each.action, each.action)) for each in events]  # type: ignore[call-overload]


def _facts(event: Recorded, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "at": event.at,
        "customer_id": event.customer_id,
        "actor_id": event.origin.actor_id,
        "fields": tuple(event.fields),
    }
