"""Rows: lists whose answer is written from the rows of a database, and no object built of them."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from gql_app.lib.engine.execution import Execution, Path, Pending, Value, real_path
from gql_app.lib.engine.generated import Field, function_of

T = TypeVar("T")
Row: TypeAlias = Sequence[Any]
"""The values of one row, in the order of its columns."""
WriteRows: TypeAlias = Callable[[Sequence[Row]], list[Value]]
"""Returns a list's answer of its rows."""


@dataclass(slots=True, eq=False)
class LazyRows(Sequence[T]):
    """A list of GraphQL objects that are built only when they are looked at.

    To graphql-core it is a list. The compiled path writes the answer of the rows themselves,
    and builds no object at all.
    """

    columns: Sequence[str]
    """Python's names of the fields that were read; no others of an object are looked at."""
    values: Sequence[Row]
    build: Callable[[Row], T]
    written: frozenset[str]
    """Those of them whose values are as the answer has them."""
    seen_by: Any = None
    """Who looks at the objects, where `build` depends on that."""

    def column(self, name: str) -> list[Any]:
        """Return the values of a column that was read."""
        place = self.columns.index(name)
        return [row[place] for row in self.values]

    def __iter__(self) -> Iterator[T]:
        """Return the objects, each built when its turn comes."""
        return map(self.build, self.values)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 — of a slice, a list
        """Return one of the objects."""
        return self.build(self.values[index]) if isinstance(index, int) else [*self][index]


class OfRows(NamedTuple):
    """How a field is resolved for all rows of a list at once, beside its resolver."""

    column: str
    """The one column that it depends on, and the attribute that its resolver looks at."""
    resolve: Callable[[LazyRows[Any], Any], Awaitable[Sequence[Value]]]
    """Returns the values of all rows, given these and an info."""


class RowsField:
    """A field of rows that are written: a position whose values are there together."""

    nullable: Final = True
    suspends: Final = True

    def __init__(self, field: Field, answers: Sequence[dict[str, Value]]) -> None:
        """Take a field that may be null, and the answers of the rows."""
        self._field = field
        self._answers = answers

    def begin(self, execution: Execution, rows: LazyRows[Any], path: Path) -> None:
        """Resolve it; the execution waits for it."""
        field = self._field
        here: Value = real_path(path)
        info = execution.build_resolve_info(field.definition, field.nodes, field.parent, here)
        pending = execution.wait(self, field.of_rows.resolve(rows, info), here)
        pending.container, pending.key = {}, None

    def completed(self, execution: Execution, values: Sequence[Value], path: Path) -> None:
        """Put the values, complete, into the rows' answers."""
        name, settle = self._field.name, self._field.settle
        for answer, value, here in zip(self._answers, values, self._paths(path), strict=True):
            done = answer[name] = settle(execution, value, here)
            if type(done) is Pending:
                done.container, done.key = answer, name

    def fail(self, execution: Execution, error: Exception, path: Path) -> None:
        """Add an error for each row, whose field is null."""
        for here in self._paths(path):
            self._field.fail(execution, error, here)

    def _paths(self, path: Path) -> Iterator[Path]:
        name, typename = self._field.name, self._field.typename
        return (((path, n, None), name, typename) for n in range(len(self._answers)))


def row_writer(
    fields: Sequence[Field], columns: Sequence[str], written: frozenset[str]
) -> WriteRows | None:
    """Return `lambda rows: [{"id": c0, "name": c1} for c0, c1 in rows]` for rows of columns.

    There is none unless each field is a column that was read, or resolved by one for all rows at
    once. Nothing else that Python has is as fast: without it a page of 50 takes 2.7 times as long,
    and one of 500 seven times.
    """
    read = {each.attribute for each in fields if each.run == each.read}
    called = [each.of_rows for each in fields if each.run == each.call]
    if not (fields and read <= written and all(o and o.column in columns for o in called)):
        return None
    constants = {f"N{number}": each.name for number, each in enumerate(fields)}
    items = []
    for number, each in enumerate(fields):
        constants[f"T{number}"] = each.typename
        column = f"c{columns.index(each.attribute)}" if each.attribute else f"T{number}"
        column = "None" if each.run == each.call else column
        items.append(f"N{number}: {column}")
    names = "".join(f"c{number}, " for number in range(len(columns)))
    source = f"def run(rows):\n return [{{{', '.join(items)}}} for {names}in rows]"
    write: WriteRows = function_of(source, {}, constants)
    return write
