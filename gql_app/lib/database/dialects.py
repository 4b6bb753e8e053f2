"""The dialects of both databases: their compilers give an expression one meaning, or refuse it."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BinaryExpression,
    BindParameter,
    Cast,
    ColumnClause,
    ColumnElement,
    Date,
    DateTime,
    Dialect,
    Extract,
    Integer,
    Interval,
    Time,
    make_url,
    type_coerce,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ExpressionClauseList
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.sql.visitors import replacement_traverse
from sqlalchemy.types import TypeEngine

from gql_app.lib.database.codecs import Compared, Moment

_ARITHMETIC: Final = frozenset(
    {
        *(operators.add, operators.sub, operators.mul, operators.mod),
        *(operators.truediv, operators.floordiv),
    }
)


def dialect_of(url: str) -> Dialect:
    """Return the dialect for a database's URL; compiling raises TypeError for what it refuses."""
    on_sqlite = url.startswith("sqlite:")
    dialect = make_url("sqlite://" if on_sqlite else "postgresql+asyncpg://").get_dialect()()
    ours: type[_Compiler] = _OnSqlite if on_sqlite else _OnPostgresql
    dialect.statement_compiler = type(ours.__name__, (ours, dialect.statement_compiler), {})
    return dialect


class _Compiler(SQLCompiler):
    """Refuses operations that one of the databases would do otherwise, or not at all."""

    def visit_binary(self, binary: BinaryExpression[Any], *args: object, **options: object) -> str:
        """Return the SQL of an operation, which compares with integers of any size."""
        operands = binary.left, binary.right
        if binary.operator in _ARITHMETIC and any(map(_is_time, operands)):
            msg = (
                f"{binary} can't be computed on both databases: compute a date or time in Python, "
                "and pass it as a bindparam()."
            )
            raise TypeError(msg)
        if operators.is_comparison(binary.operator):
            if any(map(_is_json, operands)) and not isinstance(binary.operator, custom_op):
                msg = (
                    f"{binary} compares JSON, which differs between the databases: compare the "
                    "value's as_string(), as_integer(), as_float() or as_boolean()."
                )
                raise TypeError(msg)
            binary = _typed(binary, Compared(), _is_integer)
        elif binary.operator is operators.json_getitem_op:
            binary = _typed(binary, JSON.JSONStrIndexType(), _is_key)
        return str(super().visit_binary(binary, *args, **options))  # type: ignore[no-untyped-call]

    def visit_bindparam(
        self, bindparam: BindParameter[Any], *args: object, **options: object
    ) -> str:
        """Return a parameter, for which a datetime of no column is a Moment."""
        if type(bindparam.type) is DateTime:
            bindparam = type_coerce(bindparam, Moment()).typed_expression
        return str(super().visit_bindparam(bindparam, *args, **options))  # type: ignore[no-untyped-call]


class _OnSqlite(_Compiler):
    """Writes times as a Moment has them: CURRENT_TIMESTAMP has no fraction, and sorts wrongly."""

    def visit_now_func(self, *_: object, **__: object) -> str:
        """Return the time of this statement."""
        return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"

    visit_current_timestamp_func = visit_now_func

    def visit_cast(self, cast: Cast[Any], **options: object) -> str:
        """Return a CAST; one to DATE would be the number of the year."""
        if isinstance(cast.type, Date):
            return f"date({self.process(cast.clause, **options)})"
        return str(super().visit_cast(cast, **options))  # type: ignore[no-untyped-call]


class _OnPostgresql(_Compiler):
    """Has dates in UTC, whatever the time zone of the server."""

    def visit_current_date_func(self, *_: object, **__: object) -> str:
        """Return the date of this transaction."""
        return "CAST(timezone('UTC', now()) AS DATE)"

    def visit_cast(self, cast: Cast[Any], **options: object) -> str:
        """Return a CAST."""
        if isinstance(cast.type, Date) and isinstance(cast.clause.type, DateTime):
            return f"CAST(timezone('UTC', {self.process(cast.clause, **options)}) AS DATE)"
        return str(super().visit_cast(cast, **options))  # type: ignore[no-untyped-call]

    def visit_extract(self, extract: Extract, **options: object) -> str:
        """Return an EXTRACT."""
        if isinstance(extract.expr.type, DateTime):
            moment = self.process(extract.expr, **options)
            return f"EXTRACT({extract.field} FROM timezone('UTC', {moment}))"
        return str(super().visit_extract(extract, **options))  # type: ignore[no-untyped-call]


def _is_time(operand: ColumnElement[Any]) -> bool:
    return isinstance(operand.type, Date | DateTime | Interval | Time)


def _is_json(operand: ColumnElement[Any]) -> bool:
    """Return whether an operand is a part of a JSON value, of no certain type."""
    return isinstance(operand.type, JSON) and not isinstance(operand, ColumnClause | BindParameter)


def _is_integer(operand: ColumnElement[Any]) -> bool:
    return isinstance(operand, BindParameter) and isinstance(operand.type, Integer)


def _is_key(operand: ColumnElement[Any]) -> bool:
    """Return whether an operand is a bindparam() for a key of a JSON value."""
    known = isinstance(operand.type, JSON | JSON.JSONElementType)
    return isinstance(operand, BindParameter) and not known


def _typed(
    binary: BinaryExpression[Any],
    kind: TypeEngine[Any],
    is_such: Callable[[ColumnElement[Any]], bool],
) -> BinaryExpression[Any]:
    """Return an operation with another type for such parameters, also for those of a BETWEEN."""
    ends = binary.right.clauses if isinstance(binary.right, ExpressionClauseList) else ()
    if not any(map(is_such, (binary.left, binary.right, *ends))):
        return binary

    def typed(element: ColumnElement[Any], **_: object) -> ColumnElement[Any] | None:
        if isinstance(element, ExpressionClauseList):
            return None
        return type_coerce(element, kind).typed_expression if is_such(element) else element

    left, right = (replacement_traverse(each, {}, typed) for each in (binary.left, binary.right))
    return BinaryExpression(
        left, right, binary.operator, binary.type, binary.negate, binary.modifiers
    )
