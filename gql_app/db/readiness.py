"""Readiness: whether the database can be used, and how far it is migrated and distributed."""

from collections.abc import Callable, Collection, Iterator, Sequence
from time import monotonic
from typing import Final, NamedTuple

from sqlalchemy import Table, bindparam, func, select

from gql_app.db.factor_tables import SecondFactorRow
from gql_app.db.migrations.branches import Branch
from gql_app.db.migrations.revisions import states
from gql_app.db.tables import AuditRow, Row
from gql_app.lib.database import (
    Cause,
    Database,
    StatementError,
    Unavailable,
    check_metadata,
    distributed_tables,
    scalars,
)
from gql_app.lib.standby import Standby
from gql_app.lib.telemetry import get_logger
from gql_app.settings import PREFIX, Settings

NOT_MIGRATED: Final = Cause("The database is not migrated.", "Run: gql-app migrate")
LOST_KEY: Final = Cause(
    "Second factors are encrypted by a key that is not set here.",
    f"Set it as {PREFIX}FACTOR_KEY or {PREFIX}FACTOR_KEY_FALLBACK; if it came of the secret key, "
    f"that one as {PREFIX}SECRET_KEY or {PREFIX}SECRET_KEY_FALLBACK.",
    is_lasting=True,
)
COMPLETE, INCOMPLETE, NONE = "ok", "incomplete", "none"
"""How far a Citus cluster distributes the tables."""
LOG_INTERVAL: Final = 60
"""Seconds between log lines about the same reason that the database can't be used."""
UNPREPARED: Final = f"{PREFIX}DATABASE_PREPARED_STATEMENTS=false, or true if it keeps them."
"""The setting for a database behind a connection pooler."""
_NEXT_KEY: Final = scalars(
    select(func.min(SecondFactorRow.key_id)).where(SecondFactorRow.key_id > bindparam("seen"))
)
"""The next id of a key in their order, which an index finds at once."""
_WRITTEN: Final = Row.metadata.tables.keys() - {AuditRow.__tablename__}
"""The tables that the program must be able to change; some let nobody change the audit."""
_log: Final = get_logger(__name__)


class Condition(NamedTuple):
    """The state of a database: its connection, migrations and distribution."""

    database: str
    """`ok`, `read-only` or `unreachable`."""
    migrations: str
    """`ok`, `newer` (made by a later version of this program), `pending` or `unknown`."""
    cause: Cause | None = None
    """Why it can't be used, for its operator; None if it can."""
    distribution: str | None = None
    """How far its tables are distributed: `ok`, `incomplete` or `none`; None without Citus."""

    @property
    def ready(self) -> bool:
        """Whether this program can use it; each version can use the next version's migrations."""
        return self.migrations in {"ok", "newer"} and self.cause is None


def open_database(settings: Settings) -> Database:
    """Open the database that is set. Raise TypeError for a column of a type without a codec."""
    check_metadata(Row.metadata)
    return _opened(settings, settings.database_url)


def open_standby(
    settings: Settings, primary: Database, count: Callable[[str], object] = lambda _: None
) -> Standby | None:
    """Open the standby that lists are read from, None if none is set; `count` counts its reads.

    It is closed by watching(), within which alone it is read from.
    """
    if settings.read_url is None:
        return None
    copy = _opened(settings, settings.read_url, retries=False)
    return Standby(primary, copy, max_lag=settings.read_max_lag_seconds, count=count)


def _opened(settings: Settings, url: str, *, retries: bool = True) -> Database:
    return Database(
        url,
        connections=settings.database_connections,
        pool_timeout=settings.database_pool_timeout,
        prepared=settings.database_prepared_statements,
        retries=retries,
    )


async def condition(
    database: Database, branches: Sequence[Branch] = (), key_ids: Collection[str] | None = None
) -> Condition:
    """Return the state of a database, by the core's migrations and those of branches.

    If key ids are given, it can't be used if second factors are encrypted by other keys. It is
    queried on a separate connection, which distinguishes a hung database from a busy pool.
    """
    try:
        found = await states(database, branches)
        distributed = await distributed_tables(database)
        read_only = await database.read_only(_WRITTEN)
        lost = LOST_KEY if "pending" not in found and await _lacks_key(database, key_ids) else None
    except (Unavailable, StatementError) as error:
        return Condition("unreachable", "unknown", database.cause_of(error))
    distribution = None if distributed is None else _distribution(distributed, branches)
    migrations = "pending" if "pending" in found else "newer" if "newer" in found else "ok"
    cause = lost or read_only or (NOT_MIGRATED if migrations == "pending" else None)
    return Condition("read-only" if read_only else "ok", migrations, cause, distribution)


def tables(branches: Sequence[Branch] = ()) -> Iterator[Table]:
    """Yield the core's tables and those of features, each after those that it refers to."""
    yield from Row.metadata.sorted_tables
    for branch in branches:
        yield from (each for each in branch.metadata.sorted_tables if each.name in branch.tables)


def _distribution(names: Collection[str], branches: Sequence[Branch]) -> str:
    """Return NONE, INCOMPLETE or COMPLETE, given the distributed tables."""
    found = {each.name in names for each in tables(branches)}
    if found == {True}:
        return COMPLETE
    return INCOMPLETE if True in found else NONE


class Unusable(Exception):
    """The database was reached but can't be used, or was never reached."""


class Watch:
    """Checks a database, and logs why it can't be used: at once, then every LOG_INTERVAL.

    While it is not migrated, or a key is missing, it refuses everything but checks; and until a
    check has reached it. A pooler in front of it is logged once.
    """

    def __init__(
        self,
        database: Database,
        branches: Sequence[Branch] = (),
        key_ids: Collection[str] | None = None,
    ) -> None:
        """Take the ids of the keys that decrypt; until they suffice, each check compares them."""
        self._database: Final = database
        self._branches: Final = branches
        self._key_ids = key_ids
        self._logged: tuple[Cause | None, float] = (None, 0.0)
        """The last cause that was logged, and the monotonic time of it in seconds."""
        self._pooler_logged = False
        self._refusal: Unusable | None = Unusable("It was not checked yet.")
        """Why requests are refused, by the last check that reached the database."""

    async def condition(self) -> Condition:
        """Return the state of the database."""
        found = await condition(self._database, self._branches, self._key_ids)
        if found.ready:
            self._key_ids = None
        if found.migrations != "unknown":
            why = NOT_MIGRATED if found.migrations == "pending" else found.cause
            self._refusal = Unusable(why.problem) if why in {NOT_MIGRATED, LOST_KEY} else None
        self._database.refuse(self._refusal)
        now = monotonic()
        if found.cause is None:
            self._logged = (None, now)
        elif self._logged[0] != found.cause or now - self._logged[1] >= LOG_INTERVAL:
            self._logged = (found.cause, now)
            problem, remedy, _ = found.cause
            _log.warning("The database can't be used", problem=problem, remedy=remedy)
        if self._database.is_pooled and not self._pooler_logged:
            self._pooler_logged = True
            _log.warning(
                "A pooler stands before PostgreSQL: statements are not prepared any more",
                remedy=f"Set {UNPREPARED}",
            )
        return found


async def _lacks_key(database: Database, key_ids: Collection[str] | None) -> bool:
    """Return whether a second factor is encrypted by another key. Raises Unavailable."""
    seen: str | None = ""
    while seen is not None and key_ids is not None:
        [seen] = await database.probe(_NEXT_KEY, seen=seen)
        if seen is not None and seen not in key_ids:
            return True
    return False
