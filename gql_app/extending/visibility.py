"""Visibility: the SQL condition of the rows of a feature's table that a caller may see."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, FromClause, Uuid, bindparam, false, select
from sqlalchemy.exc import CompileError
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from sqlalchemy.sql.visitors import iterate, replacement_traverse

from gql_app.accounts.sessions import Caller
from gql_app.extending.comparisons import column_faults
from gql_app.extending.functions import function_fault
from gql_app.extending.permissions import check_permission
from gql_app.lib.pagination import NOTHING, Condition

MAX_KNOWN: Final = 64
"""The most conditions of a function, or statements of a type, that are cached."""
_OWNER: Final = "visible_owner"
_Seen = tuple[tuple[Condition, ...], Mapping[str, object]]
"""The conditions of the visible rows, and the values of their placeholders."""


class OwnedBy:
    """The caller's own rows, or all rows with a permission; owned_by() makes it.

    It may also be called with the caller, to get the condition for a statement of the feature.
    """

    def __init__(self, column: InstrumentedAttribute[UUID | None], unless: str | None) -> None:
        self.column: Final = column
        self._unless: Final = unless
        self._condition: Final = Condition(column == bindparam(_OWNER, type_=Uuid()))

    def __call__(self, caller: Caller | None) -> ColumnElement[bool] | None:
        """Return the condition of the rows that a caller may see, None for all."""
        if caller is None:
            return false()
        return None if self._sees_all(caller) else self.column == caller.customer_id

    def of(self, caller: Caller | None) -> _Seen:
        """Return the same as a condition that is built only once, and the values for it."""
        if caller is None:
            return (NOTHING,), {}
        if self._sees_all(caller):
            return (), {}
        return (self._condition,), {_OWNER: caller.customer_id}

    def _sees_all(self, caller: Caller) -> bool:
        return self._unless is not None and self._unless in caller.permissions


Visible: TypeAlias = OwnedBy | Callable[[Caller | None], ColumnElement[bool] | None]
"""A function that returns the condition of the rows that a caller may see, None for all."""


def owned_by(column: InstrumentedAttribute[UUID | None], *, unless: str | None = None) -> OwnedBy:
    """Return the visibility of rows that have the caller's id in a column.

    Callers with the permission `unless` see all rows, and callers that are not signed in none.
    Raises TypeError if there can't be such a permission.
    """
    if unless is not None:
        check_permission("owned_by()", unless)
    return OwnedBy(column, unless)


def visible_faults(visible: object, rows: type[DeclarativeBase]) -> Iterator[str]:
    """Yield a sentence if a `visible` can't be called, or is that of another table."""
    if isinstance(visible, OwnedBy):
        yield from column_faults("owned_by()", visible.column, rows, (UUID,))
    elif visible is not None and (fault := function_fault(visible, ("caller",), is_async=False)):
        yield f"visible {fault}"


class Visibility:
    """The `visible` argument of a connection as conditions that are reused, so compiled once."""

    def __init__(self, visible: Visible | None, table: FromClause | None) -> None:
        """Take the argument, and the table whose rows it is of."""
        self._visible: Final = visible
        self._table: Final = table
        self._known: Final[dict[str, Condition]] = {}

    def of(self, caller: Caller | None) -> _Seen:
        """Return the conditions of the rows that a caller may see, and their values."""
        if self._visible is None:
            return (), {}
        if isinstance(self._visible, OwnedBy):
            return self._visible.of(caller)
        condition = self._visible(caller)
        return ((), {}) if condition is None else self._kept(condition)

    def _kept(self, condition: ColumnElement[bool]) -> _Seen:
        """Return a condition with its values taken out: the same object for the same SQL.

        A condition whose SQL depends on its values, such as IN, is not cached. Raises TypeError for
        one of other tables alone.
        """
        values = [each for each in iterate(condition) if isinstance(each, BindParameter)]
        try:
            sql = str(condition)
        except CompileError:
            self._check(condition)
            return (Condition(condition),), {}
        names = {each.key: f"visible_{n}" for n, each in enumerate(values)}
        known = self._known.get(sql)
        if known is None:
            self._check(condition)
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()

            def unbound(element: Any, **_: object) -> BindParameter[Any] | None:
                if isinstance(element, BindParameter):
                    return bindparam(names[element.key], type_=element.type)
                return None

            known = self._known[sql] = Condition(replacement_traverse(condition, {}, unbound))
        if any(each.expanding for each in values):
            return (Condition(condition),), {}
        return (known,), {names[each.key]: each.effective_value for each in values}

    def _check(self, condition: ColumnElement[bool]) -> None:
        """Raise TypeError for a condition of other tables alone, which would show every row."""
        named = select(condition).get_final_froms()
        if named and self._table not in named:
            message = f"visible names {named[0]} and no column of {self._table}: add a condition"
            raise TypeError(message)


EVERYTHING: Final = Visibility(None, None)
"""The visibility of all rows."""
