"""Questions: SELECTs that SQLAlchemy writes once, and that the drivers are asked often.

A value has the same type on both databases: UUID, an aware datetime in UTC, bool, str, int,
and what JSON holds.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, Protocol, Self, TypeVar
from uuid import UUID

import orjson
from asyncpg.pgproto.pgproto import UUID as QuickUUID  # noqa: N811 — the uuid's own, in C
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    ColumnElement,
    Dialect,
    Select,
    Text,
    UpdateBase,
    Uuid,
    bindparam,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine

from gql_app.db.tables import Moment

T = TypeVar("T")
Restore = Callable[[object], object]
"""Makes a value of what a driver answered."""


def as_it_is(row: Sequence[Any]) -> Sequence[Any]:
    """Build nothing of a row: it is whatever sequence the driver makes."""
    return row


class Question(Generic[T]):
    """A SELECT with named parameters, and what is built of each row of its answer."""

    def __init__(
        self, statement: Select[*tuple[Any, ...]], build: Callable[[Sequence[Any]], T]
    ) -> None:
        self.statement: Final = statement
        self.build: Final = build
        self._rendered: Final[dict[str, Rendered]] = {}

    def rendered(self, dialect: Dialect) -> "Rendered":
        """Write it for one database, once."""
        found = self._rendered.get(dialect.name)
        if found is None:
            found = self._rendered[dialect.name] = Rendered(self.statement, dialect)
        return found

    def built(self, rows: Iterable[Sequence[Any]]) -> list[T]:
        """Build what the rows of an answer become."""
        return list(rows if self.build is as_it_is else map(self.build, rows))  # type: ignore[arg-type]  # T is a row


class Reader(Protocol):
    """A handle for rules that only read."""

    async def ask(self, question: Question[T], /, **values: object) -> list[T]:
        """Ask a question, and build what its rows become."""


class Listed(TypeDecorator[Collection[UUID] | Collection[str]]):
    """A list of values as one parameter, so that a statement is the same for any number."""

    impl = ARRAY
    cache_ok = True

    def __init__(self, item: TypeEngine[UUID] | TypeEngine[str]) -> None:
        super().__init__(item)
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Send an array, or JSON where there are none."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(self.item))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401 — as its base has it
        """Write values as the column holds them."""
        if value is None or dialect.name != "sqlite":
            return value
        return orjson.dumps(
            [each.hex if isinstance(each, UUID) else each for each in value]
        ).decode()


class Among(FunctionElement[bool]):
    """Whether a column's value is one of a list's."""

    inherit_cache = True
    type = Boolean()

    def self_group(self, against: OperatorType | None = None) -> Self:  # noqa: ARG002 — as its base has it
        """Stay as it is: SQLite would be asked whether it equals 1, and use no index."""
        return self


def among(column: InstrumentedAttribute[Any], name: str) -> Among:
    """Compare a column with each value of a list, which is a parameter."""
    item = column.type if isinstance(column.type, Uuid) else Text()
    return Among(column, bindparam(name, type_=Listed(item)))


@compiles(Among, "postgresql")
def _any_of_array(element: Among, compiler: SQLCompiler, **options: object) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} = ANY ({values})"


@compiles(Among, "sqlite")
def _in_json(element: Among, compiler: SQLCompiler, **options: object) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 — both are written by SQLAlchemy


class SpeltId(TypeDecorator[str]):
    """An id in the one spelling that the API writes."""

    impl = Text
    cache_ok = True


class SpeltMoment(TypeDecorator[str]):
    """A moment as RFC 3339 writes it."""

    impl = Text
    cache_ok = True


class Spelt(FunctionElement[str]):
    """A value as the API writes it, of which no object need be made.

    PostgreSQL writes it in less time than it takes to make objects and text of them again;
    SQLite would take longer than we do.
    """

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = SpeltId() if isinstance(column.type, Uuid) else SpeltMoment()


@compiles(Spelt, "postgresql")
def _spell_on_postgresql(element: Spelt, compiler: SQLCompiler, **options: object) -> str:
    written = compiler.process(element.clauses, **options)
    if isinstance(element.type, SpeltId):
        return f"CAST({written} AS TEXT)"
    return f"replace(to_char({written} AT TIME ZONE 'UTC', '{_RFC3339}'), '.000000Z', 'Z')"


@compiles(Spelt, "sqlite")
def _leave_to_us(element: Spelt, compiler: SQLCompiler, **options: object) -> str:
    return compiler.process(element.clauses, **options)


class Rendered:
    """A statement as it is sent to one database."""

    def __init__(self, statement: Select[*tuple[Any, ...]] | UpdateBase, dialect: Dialect) -> None:
        compiled = dialect.statement_compiler(dialect, statement)
        self.sql: Final = compiled.string
        names = compiled.positiontup or []
        written = compiled.params
        self._constants: Final = {
            name: written[name] for name in names if not compiled.binds[name].required
        }
        self._binds: Final = [(name, _binder(compiled.binds[name].type, dialect)) for name in names]
        restores = [_restorer(column.type, dialect) for column in statement.exported_columns]
        self._restores: Final = [(n, restore) for n, restore in enumerate(restores) if restore]

    def bind(self, values: Mapping[str, object]) -> list[object]:
        """Put values where they belong, in the form that the driver takes."""
        if self._constants:
            values = {**self._constants, **values}
        return [bind(values[name]) if bind else values[name] for name, bind in self._binds]

    def restored(self, rows: Sequence[Sequence[object]]) -> Iterable[Sequence[object]]:
        """Make values of what the driver answered, column by column, for that is quicker."""
        if not rows or not self._restores:
            return rows
        columns: list[Iterable[object]] = list(zip(*rows, strict=True))
        for number, restore in self._restores:
            columns[number] = map(restore, columns[number])
        return zip(*columns, strict=True)


def _binder(kind: TypeEngine[object], dialect: Dialect) -> Restore | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _restorer(kind: TypeEngine[object], dialect: Dialect) -> Restore | None:
    """Find what SQLAlchemy would do with a value, in a form that costs less."""
    for each, restore in _RESTORES[dialect.name].items():
        if isinstance(kind, each):
            return restore
    return None


def _uuid(value: object) -> object:
    return None if value is None else QuickUUID(value)


def _spelt_id(value: object) -> object:
    digits = str(value)
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _spelt_moment(value: object) -> object:
    day, _, time = str(value).partition(" ")
    return f"{day}T{time.removesuffix('.000000')}Z"


def _moment(value: object) -> object:
    return None if value is None else datetime.fromisoformat(f"{value}+00:00")


def _json(value: object) -> object:
    return None if value is None else orjson.loads(str(value))


_RFC3339: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
_BOOLS: Final[dict[object, object]] = {0: False, 1: True, None: None}
_RESTORES: Final[Mapping[str, Mapping[type[TypeEngine[Any]], Restore]]] = {
    "postgresql": {JSON: _json},
    "sqlite": {
        SpeltId: _spelt_id,
        SpeltMoment: _spelt_moment,
        Uuid: _uuid,
        Moment: _moment,
        Boolean: _BOOLS.__getitem__,
        JSON: _json,
    },
}
