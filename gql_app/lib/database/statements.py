"""Statements of SQLAlchemy Core, compiled once per dialect."""

from collections import namedtuple
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import cycle
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Dialect,
    Insert,
    Select,
    Table,
    TextClause,
    UpdateBase,
    inspect,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TupleType

from gql_app.lib.database.codecs import decoder_of, default_of, encoder_of

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
        self.compiled: Final[dict[Hashable, Compiled]] = {}
        """The compiled statement, by the dialect's name, and perhaps by its values' names."""


class Compiled:
    """A statement that is compiled for a dialect; an INSERT that names no columns, for some."""

    def __init__(
        self, statement: Statement, dialect: Dialect, inserted: Mapping[str, str] | None = None
    ) -> None:
        """Take the names of the values that an INSERT has, by their columns.

        Raises TypeError for an unknown column or type, and for a value that SQL would contain.
        """
        names = inserted or {}
        compiler = statement.compile(dialect=dialect, column_keys=inserted)
        assert isinstance(compiler, SQLCompiler)  # noqa: S101 — for mypy
        for column in sorted(names.keys() - compiler.binds.keys()):
            msg = f"There is no column or parameter {names[column]} in {statement}"
            raise TypeError(msg)
        for bind in compiler.post_compile_params | compiler.literal_execute_params:
            if not bind.unique:  # it has a name, so its value is not known yet
                msg = (
                    f"The value of {bind.key} would be written into the SQL. For a list, write "
                    f"any_of(column, {bind.key!r}) for IN, and ~any_of(…) for NOT IN."
                )
                raise TypeError(msg)
        self.names_no_column = False
        self.renamed: Mapping[str, str] = {}
        """Columns of an INSERT by the attributes of other names, without those that it binds."""
        if isinstance(statement, Insert):  # the fewest columns change nothing if it names some
            fewest = statement.compile(dialect=dialect, column_keys=_unfilled(statement))
            self.names_no_column = compiler.params.keys() != fewest.params.keys()
            known = _columns(statement)
            self.renamed = {n: c for n, c in known.items() if n not in {c, *compiler.binds}}
        required = {name for name, each in compiler.binds.items() if each.required}
        prefetched = (*compiler.insert_prefetch, *compiler.update_prefetch)
        defaults = {each.key: default_of(each) for each in prefetched}
        sent = compiler.construct_expanded_state({**compiler.params, **defaults})
        self.sql = sent.statement
        kinds = {name: each.type for name, each in compiler.binds.items()}
        for name, items in sent.parameter_expansion.items():  # of IN with a list of values
            kind = kinds[name]
            kinds |= zip(items, cycle(kind.types if isinstance(kind, TupleType) else [kind]))
        self._constants: Final = {n: v for n, v in sent.parameters.items() if n not in required}
        self._binds: Final = [
            (names.get(name, name), encoder_of(name, kinds[name], dialect))
            for name in sent.positiontup or ()
        ]
        columns = [] if isinstance(statement, TextClause) else [*statement.exported_columns.items()]
        self._names: Final = tuple(name or "" for name, _ in columns)
        decoders = [decoder_of(column, dialect.name) for _, column in columns]
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


_compiled_bare: Final[WeakKeyDictionary[Statement, dict[Hashable, Compiled]]] = WeakKeyDictionary()


def compiled(
    query: Query[T] | Statement, dialect: Dialect, names: Collection[str] | None = None
) -> Compiled:
    """Return a statement compiled for a dialect, cached for as long as it exists.

    An INSERT that names no columns is compiled for the `names` of its values. The database numbers
    its row, and fills columns that have a default or may be NULL.
    """
    known = query.compiled if isinstance(query, Query) else _compiled_bare.setdefault(query, {})
    statement = query.statement if isinstance(query, Query) else query
    found = known.get(dialect.name)
    if found is None:
        found = known[dialect.name] = Compiled(statement, dialect)
    if names is None or not (found.names_no_column or found.renamed):
        return found
    assert isinstance(statement, Insert)  # noqa: S101 — for mypy
    if not found.names_no_column and found.renamed.keys().isdisjoint(names):
        return found
    key = (dialect.name, *names)
    if key not in known:
        columns = _columns(statement)
        needed = {each: name for name, each in columns.items() if each in _unfilled(statement)}
        given = {columns.get(name, name): name for name in names}
        known[key] = Compiled(statement, dialect, needed | given)
    return known[key]


def _columns(statement: Insert) -> Mapping[str, str]:
    """Return the columns of the table by the names of their attributes."""
    mapped = inspect(statement.entity_description.get("type"), raiseerr=False)
    table: Table = statement.entity_description["table"]
    if mapped is None:
        return {each.key: each.key for each in table.columns}
    return {each.key: each.columns[0].key for each in mapped.column_attrs}


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
