"""Rows: lists whose answer is written from the rows of a database, and no object built of them."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from gql_app.lib.engine.execution import Execution, Path, Pending, Value, real_path
from gql_app.lib.engine.generated import Field, function_of

T = TypeVar("T")
Row: TypeAlias = Sequence[Any]
"""The values of one row, in the order of its columns."""
WriteRows: TypeAlias = Callable[[Sequence[Row]], list[Value]]
"""Returns a list's answer of its rows."""
Paths: TypeAlias = Callable[[], Iterable[Path]]
"""Returns where each row stands, for who asks."""


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

    def part(self, start: int, end: int) -> "LazyRows[T]":
        """Return some of them, one after the other."""
        return replace(self, values=self.values[start:end])

    def __iter__(self) -> Iterator[T]:
        """Return the objects, each built when its turn comes."""
        return map(self.build, self.values)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 — of a slice, a list
        """Return one of the objects."""
        return self.build(self.values[index]) if isinstance(index, int) else [*self][index]


class NestedRows(NamedTuple):
    """The rows of several lists, one list after the other."""

    rows: LazyRows[Any]
    sizes: Sequence[int | None]
    """How many rows each list has; None for null in its place."""


class Nested(NamedTuple):
    """How a field with a list is read for all rows that its objects would be built of."""

    column: str
    """The column that it depends on, and the attribute that its resolver looks at."""
    read: Callable[[LazyRows[Any], Any], Awaitable[NestedRows]]
    """Returns the lists of rows, given these and an info."""


class NestedField:
    """A field with lists in rows that are written: a position whose values are there together."""

    nullable: Final = True
    suspends: Final = True

    def __init__(self, field: Field, answers: Sequence[dict[str, Value]], paths: Paths) -> None:
        """Take a field that may be null, with the answers of the rows and their paths."""
        self._field = field
        self._answers = answers
        self._paths: Paths = lambda: ((path, field.name, field.typename) for path in paths())

    def begin(self, execution: Execution, rows: LazyRows[Any]) -> None:
        """Read it for the rows; the execution waits for it."""
        field, here = self._field, real_path(next(iter(self._paths())))
        info = execution.build_resolve_info(field.definition, field.nodes, field.parent, here)
        pending = execution.wait(self, field.nested.read(rows, info), here)
        pending.container, pending.key = {}, None

    def completed(self, execution: Execution, nested: NestedRows, _path: Path) -> None:
        """Put the lists, complete, into the rows' answers."""
        name, (rows, sizes), end = self._field.name, nested, 0
        written = self._field.selection.write(execution, rows, partial(self._items, sizes))
        for answer, size, path in zip(self._answers, sizes, self._paths(), strict=True):
            start, end = end, end + (size or 0)
            if size is None or written is not None:
                answer[name] = None if size is None else written[start:end]
                continue
            done = answer[name] = self._field.settle(execution, rows.part(start, end), path)
            if type(done) is Pending:
                done.container, done.key = answer, name

    def fail(self, execution: Execution, error: Exception, _path: Path) -> None:
        """Add an error for each row, whose field is null."""
        for path in self._paths():
            self._field.fail(execution, error, path)

    def _items(self, sizes: Sequence[int | None]) -> Iterator[Path]:
        for path, size in zip(self._paths(), sizes, strict=True):
            yield from item_paths(path, size or 0)


def item_paths(path: Path, size: int) -> Iterator[Path]:
    """Return the paths of a list's items."""
    return ((path, number, None) for number in range(size))


def row_writer(
    fields: Sequence[Field], columns: Sequence[str], written: frozenset[str]
) -> WriteRows | None:
    """Return `lambda rows: [{"id": c0, "name": c1} for c0, c1 in rows]` for rows of columns.

    There is none unless each field is a column that was read, or resolved by one for all rows at
    once. Nothing else that Python has is as fast: without it a page of 50 takes 2.7 times as long,
    and one of 500 seven times.
    """
    read = {each.attribute for each in fields if each.run == each.read}
    called = [each.nested for each in fields if each.run == each.call]
    if not (fields and read <= written and all(n and n.column in columns for n in called)):
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
