"""Statements: SQLAlchemy Core, compiled once for each database."""

from collections import namedtuple
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import (
    BindParameter,
    Boolean,
    Column,
    CompoundSelect,
    Dialect,
    Insert,
    Select,
    SQLColumnExpression,
    String,
    Text,
    TextClause,
    UpdateBase,
    Uuid,
    bindparam,
    insert,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType

from gql_app.lib.database.types import ApiMoment, ApiUuid, ListOf, codec, default_of

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Build: TypeAlias = Callable[[Sequence[Any]], T]
CACHED_ROWS: Final = 256
"""Kinds of named tuples that are kept for statements without a Query."""
_RFC3339: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


class Upsert:
    """An INSERT … ON CONFLICT, as each database writes it."""

    def __init__(self, statements: Mapping[str, Insert]) -> None:
        self.statements: Final = statements
        """The statement by the database's name."""

    def returning(self, *columns: InstrumentedAttribute[Any]) -> "Upsert":
        """Return the same statement, which answers columns of the rows that it writes."""
        return Upsert({name: each.returning(*columns) for name, each in self.statements.items()})


Statement: TypeAlias = (
    Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]] | UpdateBase | TextClause | Upsert
)
"""What can be sent: SQLAlchemy Core with named parameters."""


class Query(Generic[T_co]):
    """A statement with named parameters, and what is built of each row of its answer."""

    def __init__(self, statement: Statement, build: Build[T_co]) -> None:
        self.statement: Final = statement
        self.build: Final = build
        self.compiled: Final[dict[str, Compiled]] = {}
        """The statement as it is sent, by the database's name."""


class Compiled:
    """A statement as it is sent to one database."""

    def __init__(self, statement: Statement, dialect: Dialect) -> None:
        plain = statement.statements[dialect.name] if isinstance(statement, Upsert) else statement
        compiler = plain.compile(dialect=dialect)
        assert isinstance(compiler, SQLCompiler)  # noqa: S101 — for mypy
        names: Sequence[str] = compiler.positiontup or ()
        kinds = {name: compiler.binds[name].type for name in names}
        required = {name for name in names if compiler.binds[name].required}
        constants: Mapping[str, object] = {
            **compiler.params,
            **{each.key: default_of(each) for each in compiler.insert_prefetch},
            **{each.key: default_of(each, updating=True) for each in compiler.update_prefetch},
        }
        self.sql = compiler.string
        if any(compiler.binds[name].expanding for name in names):  # IN with a list of values
            expanded = compiler.construct_expanded_state(dict.fromkeys(required) | dict(constants))
            for name, items in expanded.parameter_expansion.items():
                kinds |= dict.fromkeys(items, kinds[name])
            self.sql, names = expanded.statement, expanded.positiontup or ()
            constants = expanded.parameters
        self._constants: Final = {n: v for n, v in constants.items() if n not in required}
        self._binds: Final = [(name, codec(kinds[name], dialect.name).encode) for name in names]
        columns = [] if isinstance(plain, TextClause) else [*plain.exported_columns.items()]
        self._names: Final = tuple(name or "" for name, _ in columns)
        decoders = [codec(column.type, dialect.name).decode for _, column in columns]
        self._decoders: Final = [(n, decode) for n, decode in enumerate(decoders) if decode]

    def bind(self, values: Mapping[str, object]) -> list[object]:
        """Return values in the order and form that the driver takes. Raises KeyError."""
        if self._constants:
            values = {**self._constants, **values}
        return [
            values[name] if encode is None or values[name] is None else encode(values[name])
            for name, encode in self._binds
        ]

    def built(self, rows: Sequence[Sequence[Any]], query: Query[T] | Statement) -> list[T]:
        """Return what is built of the rows that the driver answered, by default named tuples."""
        if not rows:
            return []
        decoded: Iterable[Sequence[Any]] = rows
        if self._decoders:  # column by column, for that is quicker
            columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
            for number, decode in self._decoders:
                columns[number] = map(decode, columns[number])
            decoded = zip(*columns, strict=True)
        build = query.build if isinstance(query, Query) else self._named_tuple()
        return list(map(build, decoded))

    def _named_tuple(self) -> Build[Any]:
        return _named_tuple(self._names) if self._names else tuple


_bare: Final[WeakKeyDictionary[Statement, dict[str, Compiled]]] = WeakKeyDictionary()


def compiled(query: Query[T] | Statement, dialect: Dialect) -> Compiled:
    """Return a statement as it is sent to one database, compiled once while it exists."""
    known = query.compiled if isinstance(query, Query) else _bare.setdefault(query, {})
    found = known.get(dialect.name)
    if found is None:
        statement = query.statement if isinstance(query, Query) else query
        found = known[dialect.name] = Compiled(statement, dialect)
    return found


@lru_cache(CACHED_ROWS)
def _named_tuple(names: tuple[str, ...]) -> Build[Any]:
    row = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024 — the names are known by then
    return row._make


class AnyOf(FunctionElement[bool]):
    """Whether a column's value is one of a list's."""

    inherit_cache = True
    type = Boolean()

    def self_group(self, against: OperatorType | None = None) -> Self:  # noqa: ARG002 — as its base has it
        """Stay as it is: SQLite would be asked whether it equals 1, and use no index."""
        return self


def any_of(column: SQLColumnExpression[Any], name: str) -> AnyOf:
    """Return the condition that a column's value is in a list, which is one parameter."""
    [named] = AnyOf(column).clauses
    item = Text() if isinstance(named.type, String) else named.type
    return AnyOf(column, bindparam(name, type_=ListOf(item)))


@compiles(AnyOf, "postgresql")
def _any_of_array(element: AnyOf, compiler: SQLCompiler, **options: object) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} = ANY ({values})"


@compiles(AnyOf, "sqlite")
def _any_of_json(element: AnyOf, compiler: SQLCompiler, **options: object) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 — both are written by SQLAlchemy


class ApiText(FunctionElement[str]):
    """A UUID or a moment as the API writes it, of which no object need be made.

    PostgreSQL writes it in less time than it takes to make objects and text of them again;
    SQLite would take longer than Python.
    """

    inherit_cache = True

    def __init__(self, column: SQLColumnExpression[Any]) -> None:
        super().__init__(column)
        [named] = self.clauses
        self.type = ApiUuid() if isinstance(named.type, Uuid) else ApiMoment()


def api_text(column: SQLColumnExpression[Any]) -> ApiText:
    """Return a column of UUIDs or moments as the text that the API writes."""
    return ApiText(column)


@compiles(ApiText, "postgresql")
def _text_by_postgresql(element: ApiText, compiler: SQLCompiler, **options: object) -> str:
    column = compiler.process(element.clauses, **options)
    if isinstance(element.type, ApiUuid):
        return f"CAST({column} AS TEXT)"
    return f"replace(to_char({column} AT TIME ZONE 'UTC', '{_RFC3339}'), '.000000Z', 'Z')"


@compiles(ApiText, "sqlite")
def _text_by_python(element: ApiText, compiler: SQLCompiler, **options: object) -> str:
    return compiler.process(element.clauses, **options)


def insert_row(table: type[DeclarativeBase]) -> Insert:
    """Return an INSERT of every column, each of which is a parameter of the column's name.

    One that may be NULL, or has a default, may be left out.
    """
    return insert(table).values(_parameters(table))


def upsert(table: type[DeclarativeBase], update: Collection[str] | None = None) -> Upsert:
    """Return an INSERT that updates the row which has its primary key, if there is one.

    By default all other columns are updated; `update` names those that are. With none the row
    that is there stays as it is, but is locked until the transaction ends.
    """
    keys = [column.key for column in table.__table__.primary_key]
    others = [name for name in _parameters(table) if name not in keys]
    changed = (others if update is None else update) or keys
    return Upsert(
        {
            name: each.on_conflict_do_update(
                index_elements=keys, set_={name: each.excluded[name] for name in changed}
            )
            for name, each in _inserts(table).items()
        }
    )


def insert_or_ignore(table: type[DeclarativeBase]) -> Upsert:
    """Return an INSERT that does nothing where any unique key is taken."""
    return Upsert({name: each.on_conflict_do_nothing() for name, each in _inserts(table).items()})


def _inserts(table: type[DeclarativeBase]) -> Mapping[str, sqlite.Insert | postgresql.Insert]:
    values = _parameters(table)
    return {
        "sqlite": sqlite.insert(table).values(values),
        "postgresql": postgresql.insert(table).values(values),
    }


def _parameters(table: type[DeclarativeBase]) -> dict[str, Any]:
    columns = [each for each in table.__table__.columns if isinstance(each, Column)]
    return {each.key: _parameter(each) for each in columns}


def _parameter(column: Column[Any]) -> BindParameter[Any]:
    if column.default is not None:
        return bindparam(column.key, default_of(column), type_=column.type)
    if column.nullable:
        return bindparam(column.key, None, type_=column.type)
    return bindparam(column.key, type_=column.type)
