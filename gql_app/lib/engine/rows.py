"""Rows: lists that are completed from database rows, without building objects of them."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, repeat
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from gql_app.lib.engine.execution import (
    Execution,
    Path,
    Pending,
    Value,
    context_at,
    fill,
)
from gql_app.lib.engine.generated import Field, function_of
from gql_app.lib.engine.waiting import FAILURES

T = TypeVar("T")
Row: TypeAlias = Sequence[Any]
"""The values of one row, in the order of its columns."""


class Columns(Sequence[Row]):
    """Rows that are kept by column: none is made before it is needed."""

    def __init__(self, columns: Sequence[Sequence[Any]], count: int) -> None:
        """Take the values of each column, and the number of rows, which may have no columns."""
        self._columns: Final = columns
        self._count: Final = count

    def __iter__(self) -> Iterator[Row]:
        """Return an iterator over the rows."""
        return zip(*self._columns, strict=True) if self._columns else repeat((), self._count)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 — of a slice, Columns
        """Return one of the rows, or some of them."""
        places = range(self._count)[index]
        values = [column[index] for column in self._columns]
        return Columns(values, len(places)) if isinstance(places, range) else values


@dataclass(slots=True, eq=False)
class LazyRows(Sequence[T]):
    """A list of GraphQL objects that are built only when they are accessed.

    To graphql-core it is a list. The compiled executor completes the rows themselves, and builds
    no objects, if all selected fields are columns.
    """

    columns: Sequence[str]
    """Python's names of the fields that were read; no others of an object are accessed."""
    values: Sequence[Row]
    build: Callable[[Row], T]
    written: frozenset[str]
    """Those columns whose values need no completion."""
    seen_by: Any = None
    """The viewer of the objects, if `build` depends on it."""

    def __iter__(self) -> Iterator[T]:
        """Return an iterator that builds the objects one by one."""
        return map(self.build, self.values)

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 — of a slice, a list
        """Return one of the objects."""
        return self.build(self.values[index]) if isinstance(index, int) else [*self][index]


class Nested(NamedTuple):
    """How a list field is read for all rows of a page, of which no objects are built."""

    column: str
    """The column that its lists are read by, and the attribute that its resolver reads."""
    read: Callable[[Any, Sequence[Any]], Awaitable[tuple[LazyRows[Any], Sequence[int | None]]]]
    """Returns, for a context and the column's values, the rows of all lists one after the other,
    and the number of rows of each, None for a list that is null."""
    shows: Callable[[Any, Sequence[Any]], Sequence[Any]] | None = None
    """Returns, for a viewer and the column's values, those values whose lists the viewer may see,
    and None in place of the others."""


async def fill_nested(
    execution: Execution, field: Field, rows: LazyRows[Any], answers: Value, paths: Value
) -> None:
    """Read a field for rows at some paths, and put its lists into their answers."""
    name, (column, read, shows) = field.name, field.nested
    keys: Sequence[Any] = [*map(itemgetter(rows.columns.index(column)), rows.values)]
    if shows:
        keys = shows(rows.seen_by, keys)

    def where() -> Iterator[Path]:
        return ((path, name, field.typename) for path in paths())

    try:
        context = context_at(execution.context_value, next(iter(paths())))
        nested, sizes = await read(context, keys)
        written = field.selection.write(execution, nested, lambda: item_paths(where(), sizes))
    except FAILURES as error:
        for path, key in zip(where(), keys, strict=True):
            if key is not None:
                field.fail(execution, error, path)
        return
    places = where() if written is None else repeat(None)
    ends = accumulate(size or 0 for size in sizes)
    for answer, size, end, path in zip(answers, sizes, ends, places, strict=False):
        if size is None:
            continue
        if written is not None:
            answer[name] = written[end - size : end]
            continue
        part = replace(nested, values=nested.values[end - size : end])
        done = answer[name] = field.settle(execution, part, path)
        if type(done) is Pending:
            done.container, done.key = answer, name
    await fill(execution.take_pending())


def item_paths(lists: Iterable[Path], sizes: Iterable[int | None]) -> Iterator[Path]:
    """Return the paths of all items of lists, by the paths and the sizes of the lists."""
    for path, size in zip(lists, sizes, strict=True):
        yield from ((path, number, None) for number in range(size or 0))


def row_writer(
    fields: Sequence[Field], columns: Sequence[str], written: frozenset[str]
) -> Callable[[Sequence[Row]], list[Value]] | None:
    """Return `lambda rows: [{"id": c0, "name": c1} for c0, c1 in rows]` for rows of columns.

    None unless each field is a column that was read, or nested, which is null at first.
    Nothing else in Python is as fast: without it a page of 50 takes 2.7 times as long, and
    one of 500 seven times.
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
    write: Callable[[Sequence[Row]], list[Value]] = function_of(source, {}, constants)
    return write
