"""Standbys: replicas of a PostgreSQL primary that lists are read from, unless they lag too far."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Boolean, Select, Text, bindparam, cast, func, select

from gql_app.lib import periodic
from gql_app.lib.database import Cause, Conflict, Database, Query, StatementError, Unavailable
from gql_app.lib.periodic import PeriodicTask
from gql_app.lib.telemetry import get_logger, is_configured

__all__ = ["Reading", "Standby", "State"]

LOG_INTERVAL: Final = 60
"""Seconds between two log lines about reads of the primary."""
STATE_TIMEOUT: Final = 5
"""Seconds that a command waits until the lag of a standby is known."""
PROVING_QUERIES: Final = 512
"""Queries whose form with the proof is cached (LRU)."""
_log: Final = get_logger(__name__)
T = TypeVar("T")


class Reading(StrEnum):
    """The outcome of a read: the standby answered, or why the primary did."""

    STANDBY = "standby"
    BEHIND = "behind"
    """The standby lags by more than max_lag."""
    CONFLICT = "conflict"
    """It cancelled the statement, which was in conflict with its replay."""
    UNREACHABLE = "unreachable"
    """It does not answer, or fails."""
    UNFIT = "unfit"
    """It is no standby, or a standby of another database."""
    UNKNOWN = "unknown"
    """Its lag is not known yet."""
    EMPTY = "empty"
    """It returned no row, and so no proof that it had replayed everything."""


class State(NamedTuple):
    """Whether a standby may be read from, as of the last check."""

    reading: Reading
    cause: Cause | None = None
    """Why not, for its operator."""

    @property
    def name(self) -> str:
        """Return `ok`, or why it may not be read from."""
        return "ok" if self.reading is Reading.STANDBY else self.reading


class Standby:
    """Reads from a standby, or from the primary if the standby can't answer.

    The primary's positions in its log (WAL) are recorded with their times. Each statement also asks
    whether the standby has replayed the position that the primary had `max_lag` seconds ago: that
    proves that everything committed by then was there, whichever standby a host name leads to.
    """

    def __init__(
        self,
        primary: Database,
        copy: Database,
        *,
        max_lag: float,
        count: Callable[[Reading], object] = lambda _: None,
    ) -> None:
        """Take both databases, the seconds that the copy may lag, and a function to count reads."""
        self.max_lag: Final = max_lag
        self.state = State(Reading.UNKNOWN, _UNKNOWN)
        self._primary: Final = primary
        self.copy: Final = copy
        self._count: Final = count
        self._positions: Final[deque[tuple[float, str]]] = deque()
        """Times, and the positions that the primary had reached then or shortly after."""
        self._logged = -float(LOG_INTERVAL)

    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]:
        """Return what is built of each row of a SELECT.

        Raises Unavailable and StatementError of the primary, if it is asked.
        """
        state, rows = self.state, list[Sequence[Any]]()
        if state.reading is Reading.STANDBY:
            state, rows = await self._read_copy(query, values)
        self._report(state)
        if state.reading is Reading.STANDBY:
            return list(map(query.build, map(_BEFORE_PROOF, rows)))
        return await self._primary.fetch_all(query, **values)

    async def check(self) -> None:
        """Record the primary's position, and update whether the standby may be read from."""
        now = monotonic()
        try:
            [(identity, position)] = await self._primary.probe(_PRIMARY)
        except (Unavailable, StatementError) as error:
            self.state = State(Reading.UNKNOWN, self._primary.cause_of(error))
            return
        self._positions.append((now, position))
        while self._positions[0][0] < now - self.max_lag:
            self._positions.popleft()
        self.state = await self._checked(identity, *self._positions[0])
        if self.state.reading is Reading.UNREACHABLE:
            self.copy.interrupt()  # statements that were sent already may hang as well

    async def known_state(self) -> State:
        """Return the state once it is known, or whatever it is after STATE_TIMEOUT."""
        until = monotonic() + STATE_TIMEOUT
        await self.check()
        while self.state.reading is Reading.UNKNOWN and monotonic() < until:
            await asyncio.sleep(min(0.1, self.max_lag / 8))
            await self.check()
        return self.state

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Check periodically while the block lasts, then close the standby's connections."""
        checking = PeriodicTask("standby", self.check, min(1, self.max_lag / 4))
        try:
            async with periodic.running([checking], grace=0):
                yield
        finally:
            await self.copy.close()

    async def _read_copy(
        self, query: Query[Any], values: Mapping[str, object]
    ) -> tuple[State, list[Sequence[Any]]]:
        """Return the standby's state by its answer, and its rows with the proof."""
        position = self._position(monotonic())
        if position is None:
            return State(Reading.UNKNOWN, _UNKNOWN), []
        try:
            rows = await self.copy.fetch_all(_proving(query), **values, standby_position=position)
        except (Unavailable, StatementError) as error:
            return self._failed(error), []
        if not rows:
            return State(Reading.EMPTY), []
        return _OK if all(map(_PROOF, rows)) else self._behind(), rows

    async def _checked(self, identity: str, since: float, position: str) -> State:
        """Return the standby's state by a probe for the position that the primary had at a time."""
        try:
            [(theirs, is_standby, has_all)] = await self.copy.probe(
                _STANDBY, standby_position=position
            )
        except (Unavailable, StatementError) as error:
            return State(Reading.UNREACHABLE, self.copy.cause_of(error))
        if not is_standby or theirs != identity:
            return State(Reading.UNFIT, _NO_STANDBY if not is_standby else _ANOTHER)
        if has_all:
            return _OK
        is_known = monotonic() - since > self.max_lag / 2
        return self._behind() if is_known else State(Reading.UNKNOWN, _UNKNOWN)

    def _position(self, now: float) -> str | None:
        """Return the first position that was recorded within the last max_lag seconds."""
        since = now - self.max_lag
        return next((position for time, position in self._positions if time >= since), None)

    def _behind(self) -> State:
        problem = f"The standby is more than {self.max_lag:g} s behind the primary."
        remedy = "Look at its replay, its load and the network."
        return State(Reading.BEHIND, Cause(problem, remedy))

    def _failed(self, error: Exception) -> State:
        """Return the state by the error of a failed read."""
        cause = self.copy.cause_of(error)
        if isinstance(error, Conflict):
            return State(Reading.CONFLICT, Cause(cause.problem, _FEEDBACK))
        return State(Reading.UNREACHABLE, cause)

    def _report(self, state: State) -> None:
        """Count a read and, once a minute, log why the primary answers in the standby's place."""
        self._count(state.reading)
        now = monotonic()
        if not state.cause or state.reading is Reading.UNKNOWN or not is_configured():
            return
        if now - self._logged >= LOG_INTERVAL:
            self._logged = now
            cause = state.cause
            _log.warning(
                "A list is read from the primary", problem=cause.problem, remedy=cause.remedy
            )


@lru_cache(PROVING_QUERIES)
def _proving(query: Query[Any]) -> Query[Sequence[Any]]:
    """Return a query with the proof as last column: whether the standby has replayed a position.

    The proof depends on no row, so that it is evaluated once per statement.
    """
    assert isinstance(query.statement, Select)  # noqa: S101 — for mypy
    return Query(query.statement.add_columns(_HAS_ALL.label("proof")), tuple)


_PROOF: Final = itemgetter(-1)
_BEFORE_PROOF: Final = itemgetter(slice(-1))
"""Getters of a row's last column, the proof, and of the columns before it."""
_IS_STANDBY: Final = func.pg_is_in_recovery(type_=Boolean())
_HAS_ALL: Final = select(
    _IS_STANDBY
    & (func.pg_last_wal_replay_lsn() >= func.pg_lsn(bindparam("standby_position", type_=Text())))
).scalar_subquery()
_SYSTEM: Final = func.pg_control_system().table_valued("system_identifier")
_IDENTITY: Final = func.concat(_SYSTEM.c.system_identifier, func.current_database(), type_=Text())
"""Identifies a database and its copies."""
_PRIMARY: Final = Query(
    select(_IDENTITY, cast(func.pg_current_wal_flush_lsn(), Text())).select_from(_SYSTEM), tuple
)
_STANDBY: Final = Query(select(_IDENTITY, _IS_STANDBY, _HAS_ALL).select_from(_SYSTEM), tuple)
_OK: Final = State(Reading.STANDBY)
_UNKNOWN: Final = Cause("How far behind the standby is, is not known yet.", "Wait for a moment.")
_FEEDBACK: Final = "Set hot_standby_feedback there, or a longer max_standby_streaming_delay."
_NO_STANDBY: Final = Cause(
    "The server that is to be read from is no standby.", "Name a standby of the primary, or none."
)
_ANOTHER: Final = Cause(
    "The standby is one of another database.", "Look at the host and the last part of its URL."
)
