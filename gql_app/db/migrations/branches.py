"""Branches: the migrations of features, each with its own version table, after the core's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Final
from warnings import catch_warnings, simplefilter

from sqlalchemy import MetaData

from gql_app.lib.faults import CannotStart

if TYPE_CHECKING:  # most starts migrate nothing
    from alembic.config import Config
    from alembic.script import ScriptDirectory

VERSION_TABLE: Final = "alembic_version"
"""The table with the core's current migration, and the prefix of each branch's table.

A server of the version before expects one row in it, so that no branch may add another.
"""
_TWICE: Final = re.compile(r"Revision (\S+) is present more than once")
"""The warning of Alembic about two migrations of one revision."""


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """The migrations of one feature, and the tables that they make."""

    name: str
    folder: Path
    tables: frozenset[str]
    """The names of the feature's tables: no other is compared with the database."""
    metadata: MetaData = field(repr=False)
    """The metadata of these tables, and of those that they refer to."""
    revisions: Sequence[str]
    """Every migration, the oldest first."""

    @property
    def version_table(self) -> str:
        """The name of the table with the branch's current migration."""
        return f"{VERSION_TABLE}_{self.name}"


def alembic_config(url: str, branch: Branch | None = None) -> "Config":
    """Return Alembic's configuration for a database and the migrations of the core or a branch."""
    config = _config(branch.folder if branch else None)
    config.attributes.update(url=url, branch=branch)
    return config


def _config(folder: Path | None) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 — as above

    config = Config()
    for name, place in (("script_location", Path(__file__).parent), ("version_locations", folder)):
        if place is not None:
            config.set_main_option(name, str(place).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


def revisions(folder: Path) -> tuple[str, ...]:
    """Return the migrations of a folder, the oldest first. Raises CannotStart."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 — as above

    try:
        scripts = ScriptDirectory.from_config(_config(folder))
        with catch_warnings(record=True) as warned:
            simplefilter("always")
            heads = sorted(scripts.get_heads())
        if twice := [made[1] for w in warned if (made := _TWICE.fullmatch(str(w.message)))]:
            mend = "rename the file of the newer one, and set its revision and down_revision"
            raise CannotStart([f"{folder}: two migrations are {each}: {mend}" for each in twice])  # noqa: TRY301 — the rest fails
        found = [each.revision for each in scripts.walk_revisions()]
        known: set[str] = set()
        firsts = [_first(scripts, head, known) for head in heads]
    except CannotStart:
        raise
    except Exception as why:  # a migration may fail in any way as it is imported
        *_, (frame, _) = walk_tb(why.__traceback__)
        if isinstance(why, KeyError) and frame.f_globals["__name__"] == "alembic.script.revision":
            missing = f"a migration follows {why.args[0]}, which is not there"
            raise CannotStart([f"{folder}: {missing}: correct its down_revision"]) from why
        raise CannotStart([f"{folder}: {type(why).__name__}: {why}"]) from why
    if len(heads) > 1:
        joined = [f'down_revision = "{a}" in {b}' for a, b in zip(heads, firsts[1:], strict=False)]
        last = f"no migration follows {' and '.join(heads)}, of which one must be the last"
        raise CannotStart([f"{folder}: {last}: write {' and '.join(joined)}"])
    return tuple(reversed(found))


def _first(scripts: "ScriptDirectory", head: str, known: set[str]) -> str:
    """Return the oldest migration before a head that is not known yet; add all of them."""
    new = [e.revision for e in scripts.iterate_revisions(head, "base") if e.revision not in known]
    known.update(new)
    return new[-1]
