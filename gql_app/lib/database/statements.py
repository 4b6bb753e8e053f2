"""Statements of SQLAlchemy Core, compiled once per dialect."""

from collections import namedtuple
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Dialect,
    Insert,
    MetaData,
    Select,
    Table,
    TextClause,
    UpdateBase,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType

from gql_app.lib.database.codecs import codec, decoder

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Build: TypeAlias = Callable[[Sequence[Any]], T]
CACHED_ROWS: Final = 256
"""Named tuple classes that are cached for statements without a Query."""
Statement: TypeAlias = (
    Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]] | UpdateBase | TextClause
)
"""A statement of SQLAlchemy Core, with named parameters."""


class Query(Generic[T_co]):
    """A statement with named parameters, and a function that builds a value of each row."""

    def __init__(self, statement: Statement, build: Build[T_co]) -> None:
        self.statement: Final = statement
        self.build: Final = build


def scalars(statement: Select[T]) -> Query[T]:
    """Return the query of a statement with one column, whose values are its results."""
    return Query(statement, itemgetter(0))


class Compiled:
    """A statement that is compiled for a dialect; an INSERT that names no columns, for some."""

    def __init__(
        self, statement: Statement, dialect: Dialect, inserted: Collection[str] | None = None
    ) -> None:
        """Raise TypeError for an unknown column or type, and for a value that SQL would contain."""
        compiler = statement.compile(dialect=dialect, column_keys=inserted)
        assert isinstance(compiler, SQLCompiler)  # noqa: S101 — for mypy
        for name in sorted({*(inserted or ())} - compiler.binds.keys()):
            msg = f"There is no column or parameter {name} in {statement}"
            raise TypeError(msg)
        for bind in compiler.post_compile_params | compiler.literal_execute_params:
            if not bind.unique:  # it has a name, so its value is not known yet
                msg = (
                    f"The value of {bind.key} would be written into the SQL. For a list, write "
                    f"any_of(column, {bind.key!r}) for IN, and ~any_of(…) for NOT IN."
                )
                raise TypeError(msg)
        self.names_no_column = False
        if isinstance(statement, Insert):  # the fewest columns change nothing if it names some
            fewest = statement.compile(dialect=dialect, column_keys=_unfilled(statement))
            self.names_no_column = compiler.params.keys() != fewest.params.keys()
        required = {name for name, each in compiler.binds.items() if each.required}
        prefetched = (*compiler.insert_prefetch, *compiler.update_prefetch)
        defaults = {each.key: default_of(each) for each in prefetched}
        sent = compiler.construct_expanded_state({**compiler.params, **defaults})
        self.sql = sent.statement
        binds = dict(compiler.binds)
        for name, items in sent.parameter_expansion.items():  # of IN with a list of values
            binds |= dict.fromkeys(items, binds[name])
        self._constants: Final = {n: v for n, v in sent.parameters.items() if n not in required}
        self._binds: Final = [
            (name, codec(binds[name].type, dialect.name).encode) for name in sent.positiontup or ()
        ]
        columns = [] if isinstance(statement, TextClause) else [*statement.exported_columns.items()]
        self._names: Final = tuple(name or "" for name, _ in columns)
        decoders = [decoder(column, dialect.name) for _, column in columns]
        self._decoders: Final = [(n, decode) for n, decode in enumerate(decoders) if decode]

    def bind(self, values: Mapping[str, object]) -> list[object]:
        """Return the values in the driver's order and types. Raises TypeError if one is missing."""
        if self._constants:
            values = {**self._constants, **values}
        try:
            return [
                values[name] if encode is None or values[name] is None else encode(values[name])
                for name, encode in self._binds
            ]
        except KeyError as error:
            msg = f"There is no value for the column or parameter {error.args[0]} in {self.sql}"
            raise TypeError(msg) from error

    def built(self, rows: Sequence[Sequence[Any]], query: Query[T] | Statement) -> list[T]:
        """Return what the query builds of the driver's rows, by default named tuples."""
        if not rows:
            return []
        decoded: Iterable[Sequence[Any]] = rows
        if self._decoders:
            columns: list[Any] = list(zip(*rows, strict=True))
            for number, decode in self._decoders:
                columns[number] = decode(columns[number])
            decoded = zip(*columns, strict=True)
        build = query.build if isinstance(query, Query) else _named_tuple(self._names)
        return list(map(build, decoded))


_compiled: Final[WeakKeyDictionary[Statement, dict[Hashable, Compiled]]] = WeakKeyDictionary()
"""Compiled statements, by the dialect's name, and perhaps by their values' names."""


def compiled(
    query: Query[T] | Statement, dialect: Dialect, names: Collection[str] | None = None
) -> Compiled:
    """Return a statement compiled for a dialect, cached for as long as it exists.

    An INSERT that names no columns is compiled for the `names` of its values. The database numbers
    its row, and fills columns that have a default or may be NULL.
    """
    statement = query.statement if isinstance(query, Query) else query
    known = _compiled.setdefault(statement, {})
    found = known.get(dialect.name)
    if found is None:
        found = known[dialect.name] = Compiled(statement, dialect)
    if names is None or not (found.names_no_column and isinstance(statement, Insert)):
        return found
    key = (dialect.name, *names)
    if key not in known:
        known[key] = Compiled(statement, dialect, {*names, *_unfilled(statement)})
    return known[key]


def _unfilled(statement: Insert) -> list[str]:
    """Return the columns of the table that the database can't fill."""
    table: Table = statement.entity_description["table"]
    return [
        each.key
        for each in table.columns
        if not (each.nullable or each.default or each.server_default)
        and each is not table.autoincrement_column
    ]


@lru_cache(CACHED_ROWS)
def _named_tuple(names: tuple[str, ...]) -> Build[Any]:
    if not names:
        return tuple
    row = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024 — the names are known by then
    return row._make


class EitherDialect(FunctionElement[Any]):
    """An expression with a variant for SQLite and one for PostgreSQL."""

    inherit_cache = True

    def __init__(self, on_sqlite: ColumnElement[Any], on_postgresql: ColumnElement[Any]) -> None:
        super().__init__(on_sqlite, on_postgresql)
        self.type = on_sqlite.type

    def self_group(self, against: OperatorType | None = None) -> Self:  # noqa: ARG002 — as its base has it
        """Return itself: else SQLite would compare it with 1, and use no index."""
        return self


@compiles(EitherDialect)
def _compile_either(element: EitherDialect, compiler: SQLCompiler, **options: object) -> str:
    on_sqlite, on_postgresql = element.clauses  # only the processed one's values are sent
    chosen = on_sqlite if compiler.dialect.name == "sqlite" else on_postgresql
    return f"({compiler.process(chosen, **options)})"


def default_of(column: Column[Any]) -> object:
    """Return a column's default value. Raises TypeError if it is computed, or set by an UPDATE."""
    default = column.onupdate or column.default
    if default is None:
        return None
    if column.onupdate or not default.is_scalar:
        msg = f"{column} has a default that is no plain value: write it in each statement."
        raise TypeError(msg)
    return default.arg  # type: ignore[attr-defined]  # it is scalar


def check_metadata(metadata: MetaData) -> None:
    """Raise TypeError if a column is of a type that isn't known here, or has a computed default."""
    faults = [each for table in metadata.sorted_tables for each in table_faults(table)]
    if faults:
        raise TypeError("\n".join(faults))


def table_faults(table: Table) -> Iterator[str]:
    """Yield a sentence on each column of an unknown type, and on each with a computed default."""
    for column in table.columns:
        try:
            default_of(column)
        except TypeError as why:
            yield str(why)
        try:
            for dialect in ("sqlite", "postgresql"):
                codec(column.type, dialect)
        except TypeError as why:
            yield f"{column}: {why}"
