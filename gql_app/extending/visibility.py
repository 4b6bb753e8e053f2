"""Visibility: which rows of a feature's table a caller may see, as a condition of SQL."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Uuid, bindparam, false
from sqlalchemy.exc import CompileError
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.visitors import iterate, replacement_traverse

from gql_app.accounts.sessions import Caller
from gql_app.lib.pagination import NOTHING, Condition

MAX_KNOWN: Final = 64
"""Conditions of a function that are kept; with more of them, they are made anew."""
_OWNER: Final = "visible_owner"
_Seen = tuple[tuple[Condition, ...], Mapping[str, object]]
"""The conditions of what is seen, and the values that they compare with."""


class OwnedBy:
    """The rows of the caller, or all for who has a permission; owned_by() makes it.

    It is a function of the caller as well, for a condition in a statement of one's own.
    """

    def __init__(self, column: InstrumentedAttribute[UUID], unless: str | None) -> None:
        self._column: Final = column
        self._unless: Final = unless
        self._condition: Final = Condition(column == bindparam(_OWNER, type_=Uuid()))

    def __call__(self, caller: Caller | None) -> ColumnElement[bool] | None:
        """Return the condition of what a caller may see, None for all."""
        if caller is None:
            return false()
        return None if self._sees_all(caller) else self._column == caller.customer_id

    def of(self, caller: Caller | None) -> _Seen:
        """Return the same as a condition that is made once, with its values."""
        if caller is None:
            return (NOTHING,), {}
        if self._sees_all(caller):
            return (), {}
        return (self._condition,), {_OWNER: caller.customer_id}

    def _sees_all(self, caller: Caller) -> bool:
        return self._unless is not None and self._unless in caller.permissions


Visible: TypeAlias = OwnedBy | Callable[[Caller | None], ColumnElement[bool] | None]
"""Returns the condition of the rows that a caller may see, None for all there are."""


def owned_by(column: InstrumentedAttribute[UUID], *, unless: str | None = None) -> OwnedBy:
    """Return which rows a caller may see: those that have the caller's id in a column.

    Whoever has the permission `unless` sees all, and whoever is not signed in none.
    """
    return OwnedBy(column, unless)


class Visibility:
    """What a connection's `visible` says, with statements that are compiled once."""

    def __init__(self, visible: Visible | None) -> None:
        self._visible: Final = visible
        self._known: Final[dict[str, Condition]] = {}

    def of(self, caller: Caller | None) -> _Seen:
        """Return what a caller may see."""
        if self._visible is None:
            return (), {}
        if isinstance(self._visible, OwnedBy):
            return self._visible.of(caller)
        condition = self._visible(caller)
        return ((), {}) if condition is None else self._kept(condition)

    def _kept(self, condition: ColumnElement[bool]) -> _Seen:
        """Return a condition with its values apart: the same one for the same SQL.

        One that can't be written without its values is made anew each time.
        """
        values = [each for each in iterate(condition) if isinstance(each, BindParameter)]
        try:
            sql = str(condition)
        except CompileError:
            return (Condition(condition),), {}
        if any(each.expanding for each in values):
            return (Condition(condition),), {}
        names = {each.key: f"visible_{n}" for n, each in enumerate(values)}
        known = self._known.get(sql)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()

            def unbound(element: Any, **_: object) -> BindParameter[Any] | None:
                if isinstance(element, BindParameter):
                    return bindparam(names[element.key], type_=element.type)
                return None

            known = self._known[sql] = Condition(replacement_traverse(condition, {}, unbound))
        return (known,), {names[each.key]: each.effective_value for each in values}
