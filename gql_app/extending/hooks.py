"""Hooks: functions of features that run in or after the transaction of an event.

`Feature.on` runs after the commit, in the background; `Feature.within` runs in the transaction and
may refuse it. Both are keyed by the name of an event: one of EVENTS, or an action that a feature
declares and records by tx.audit(). Commands run no hooks, and neither do the hooks' own changes.
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
from gql_app.extending.transaction import Transaction, transact, transaction
from gql_app.lib import database
from gql_app.lib.database import Query, Statement
from gql_app.lib.fair_queue import FairQueue, Party
from gql_app.lib.faults import CancellationsAsFaults
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
"""The events, and the audit actions that raise them. `customer:updated` is raised by each change of
a customer's fields, before `email:changed` if the address is among them. `session:ended` is raised
for sessions ended on request: not if they expire, or end with a password or an account."""
MAX_WAITING: Final = 1_000
"""The most hooks in the queue, a quarter of them one client's; others are dropped, and logged."""
RUNNING: Final = 4
"""Hooks that run at once."""
TIMEOUT: Final = 30
"""Seconds after which a hook is cancelled."""
DRAIN_TIMEOUT: Final = 10
"""Seconds for which a process that stops waits for its hooks."""
_log: Final = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event that is about to be committed, or was."""

    name: str
    """One of EVENTS, or a feature's action."""
    at: datetime
    customer_id: UUID | None
    """The customer that it concerns."""
    actor_id: UUID | None
    """The customer that caused it; None without a signed-in caller."""
    fields: Sequence[str] = ()
    """The changed fields, by their names in Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedEvent(Event):
    """An event after its commit, by which a hook reads and writes the database."""

    resources: Resources

    @overload
    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]: ...
    @overload
    async def fetch_all(self, query: Statement, /, **values: object) -> list[Any]: ...
    async def fetch_all(self, query: Query[Any] | Statement, /, **values: object) -> list[Any]:
        """Return all rows, as Transaction.fetch_all() does."""
        return await self.resources.database.fetch_all(query, **values)

    async def write(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Run `rule(tx, ...)` in a transaction without a caller, and return its result.

        Raises the rule's errors, and Unavailable.
        """
        return await transact(self.resources, rule, *args, **kwargs)


After: TypeAlias = Callable[[CommittedEvent], Awaitable[None]]
"""A hook that runs after the commit of an event; its errors are logged and go no further."""
Within: TypeAlias = Callable[[Transaction, Event], Awaitable[None]]
"""A hook that runs in an event's transaction; if it raises Refused, all of it is rolled back."""


@dataclass(frozen=True, slots=True)
class _Hook:
    """A hook, and the feature that has it."""

    feature: str
    run: Callable[..., Awaitable[None]]


class FeatureHooks(Hooks):
    """The hooks of features, and the queue of those that wait to run."""

    def __init__(
        self,
        on: Sequence[tuple[str, Mapping[str, After]]],
        within: Sequence[tuple[str, Mapping[str, Within]]],
    ) -> None:
        """Take the names of features, each with its hooks by the names of events."""
        self._on: Final = _by_event(on)
        self._within: Final = _by_event(within)
        self._places: Final = FairQueue(places=RUNNING, waiting=MAX_WAITING)
        self._tasks: Final[set[Task[None]]] = set()
        """The tasks of hooks that wait or run."""
        self._resources: Resources | None = None
        self._context: Context | None = None
        """The context variables that hooks run with: not a request's, which has ended by then."""

    async def within(
        self, resources: Resources, db: database.Transaction, events: Sequence[Recorded]
    ) -> None:
        """Run the hooks of a transaction, one after the other. Raises the hooks' errors."""
        gone = {each.customer_id for each in events if each.action == Action.CUSTOMER_DELETED}
        for event, name in _named(events):
            origin = event.origin
            if origin.actor_id in gone:  # whose origins the audit has just forgotten
                origin = Origin(actor_id=origin.actor_id)
            for hook in self._within.get(name, ()):
                tx = transaction(db, resources, origin)
                await hook.run(tx, Event(**_facts(event, name)))

    def committed(self, events: Sequence[Recorded]) -> None:
        """Queue the hooks of committed events, with fair queueing among the clients."""
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
        """Run hooks while the block runs, and then wait up to DRAIN_TIMEOUT for the rest."""
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
            with CancellationsAsFaults():
                async with self._places.place(party), asyncio.timeout(TIMEOUT):
                    await hook.run(event)
        except asyncio.QueueFull:
            _log.error("Too many hooks wait: dropped", feature=hook.feature, hook=event.name)
        except Exception:  # noqa: BLE001 — a hook's error stops nothing else
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
    """Return audit records, each with the name of its event."""
    return [(each, _NAMES.get(each.action, each.action)) for each in events]  # type: ignore[call-overload]


def _facts(event: Recorded, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "at": event.at,
        "customer_id": event.customer_id,
        "actor_id": event.origin.actor_id,
        "fields": tuple(event.fields),
    }
