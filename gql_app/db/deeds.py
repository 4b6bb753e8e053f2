"""Deeds: a row and what goes with it, written all or not at all, for little work of ours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import (
    CTE,
    Dialect,
    Insert,
    Integer,
    Select,
    Subquery,
    Update,
    Uuid,
    bindparam,
    insert,
    select,
)

from gql_app.db.questions import Rendered
from gql_app.db.tables import Row

Made = CTE | Subquery
"""The row that a deed makes, if it makes any: what goes with it is selected from there."""
Order = tuple[str, list[object]]
"""A statement, and the values to send with it."""


class Deed:
    """A row that is inserted if a SELECT finds what it is to be, and what is done if it does.

    What the SELECT finds is held. Its columns are named as the row's; the parameter `id` is the
    row's key.
    """

    def __init__(
        self,
        entity: type[Row],
        made_of: Select[*tuple[Any, ...]],
        along: Callable[[Made], Sequence[Insert | Update]],
    ) -> None:
        held = made_of.offset(bindparam("skipped", type_=Integer())).with_for_update()
        self._make: Final = insert(entity).from_select(
            held.selected_columns.keys(), held, include_defaults=False
        )
        self._table: Final = entity.__table__
        self._along: Final = along
        self._rendered: Final[dict[str, list[tuple[Rendered, int]]]] = {}

    def orders(self, dialect: Dialect, values: Mapping[str, object]) -> list[Order]:
        """Tell what to send, in one transaction; a row comes back if one was made."""
        rendered = self._rendered.get(dialect.name)
        if rendered is None:
            steps = self._steps() if dialect.name == "sqlite" else self._joined()
            rendered = [(Rendered(step, dialect), skipped) for step, skipped in steps]
            self._rendered[dialect.name] = rendered
        return [(each.sql, each.bind({**values, "skipped": n})) for each, n in rendered]

    def _steps(self) -> list[tuple[Insert | Update, int]]:
        """Do one thing after the other."""
        key = self._table.c.id
        made = select(self._table).where(key == bindparam("id", type_=Uuid())).subquery("made")
        return [(step, 0) for step in (self._make.returning(key), *self._along(made))]

    def _joined(self) -> list[tuple[Select[*tuple[Any, ...]], int]]:
        """Do all by one statement, which is sent twice.

        The first time it skips what it finds, but only once nobody else holds that; so the second
        time it sees what they did, which a statement that waited doesn't.
        """
        made = self._make.returning(self._table).cte("made")
        steps = (step.cte(f"step_{number}") for number, step in enumerate(self._along(made)))
        joined = select(made.c.id).add_cte(*steps)
        return [(joined, 1), (joined, 0)]


class Doer(Protocol):
    """A handle for rules that do a deed, and nothing else."""

    async def do(self, deed: Deed, /, **values: object) -> bool:
        """Do a deed, and tell whether its row was made; if not, nothing was done."""
