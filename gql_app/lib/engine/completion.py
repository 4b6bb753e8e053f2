"""Completion: how each type's values become JSON (GraphQL section 6.4.3)."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLAbstractType,
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLString,
    Undefined,
    default_type_resolver,
    is_object_type,
    located_error,
)
from graphql.pyutils import inspect, is_iterable

from gql_app.lib.engine.execution import (
    Complete,
    Execution,
    Later,
    Path,
    Pending,
    Value,
    fill,
    keys_of,
    real_path,
)
from gql_app.lib.engine.fields import (
    ATTRIBUTES,
    PLAIN,
    Field,
    LazyRows,
    Position,
    WriteRows,
    is_awaited,
)
from gql_app.lib.engine.generated import object_function, row_writer
from gql_app.lib.engine.waiting import settle

EXACT: Final[dict[Callable[[Value], Value], type]] = {
    GraphQLString.coerce_output_value: str,
    GraphQLID.coerce_output_value: str,
    GraphQLBoolean.coerce_output_value: bool,
}
"""Types whose values are returned as they are, by what coerces them."""
MANY: Final = 32
"""Objects of a selection after which a function is generated for it."""
MAX_CACHED_COLUMNS: Final = 8
"""Kinds of rows for which a list's function is kept: an application reads one or two."""
Plan: TypeAlias = Callable[["Selection", Execution], list[Field]]
"""Returns the fields that are selected of an object type. Raises GraphQLError."""


def is_null(value: Value) -> bool:
    """Return whether a resolver's value is null; an exception that it returned is raised."""
    if isinstance(value, Exception):
        raise value
    return value is None or value is Undefined


class Selection:
    """What is selected of an object type; planned when the first object is there."""

    __slots__ = ("by_attribute", "by_key", "count", "fields", "kind", "nodes", "plan", "writers")

    def __init__(self, plan: Plan, kind: GraphQLObjectType, nodes: Sequence[Any]) -> None:
        self.plan = plan
        self.kind = kind
        self.nodes = nodes
        self.fields: list[Field] | None = None
        self.count = 0
        self.by_attribute: Complete = self._by_attribute
        """Returns the answer of an object whose type is among ATTRIBUTES."""
        self.by_key: Complete = self._by_key
        """Returns the answer of a dictionary."""
        self.writers: dict[tuple[str, ...], WriteRows | None] = {}

    def begun(self, execution: Execution) -> list[Field]:
        """Return the fields. Raises GraphQLError where a directive can't be read."""
        if self.fields is None:
            self.fields = self.plan(self, execution)
        return self.fields

    def interpret(self, execution: Execution, source: Value, path: Path) -> dict[str, Value]:
        """Return the answer of any object, field by field."""
        answer: dict[str, Value] = {}
        for field in self.begun(execution):
            value = answer[field.name] = field.run(execution, source, path)
            if type(value) is Pending:
                value.container, value.key = answer, field.name
        return answer

    def run(self, execution: Execution, source: Value, path: Path) -> Value:
        """Return the answer of any object, by a function of its own once there were many."""
        kind = type(source)
        if kind in ATTRIBUTES:
            return self.by_attribute(execution, source, path)
        if kind is dict:
            return self.by_key(execution, source, path)
        return self.interpret(execution, source, path)

    def write(self, execution: Execution, rows: LazyRows[Any]) -> list[Value] | None:
        """Return the answer of rows; None if objects must be built of them."""
        columns = tuple(rows.columns)
        if columns not in self.writers:
            if len(self.writers) >= MAX_CACHED_COLUMNS:
                self.writers.clear()
            self.writers[columns] = row_writer(self.begun(execution), columns)
        write = self.writers[columns]
        return write(rows.values) if write else None

    def _by_attribute(self, execution: Execution, source: Value, path: Path) -> Value:
        self.count += 1
        if self.count > MANY:
            self.by_attribute = object_function(self.begun(execution), keyed=False)
        return self.interpret(execution, source, path)

    def _by_key(self, execution: Execution, source: Value, path: Path) -> Value:
        self.count += 1
        if self.count > MANY:
            self.by_key = object_function(self.begun(execution), keyed=True)
        return self.interpret(execution, source, path)


class Leaf:
    """Completes scalars and enums."""

    def __init__(self, kind: GraphQLLeafType) -> None:
        self._kind = kind
        self._coerce: Callable[[Value], Value] = kind.coerce_output_value
        self.exact = EXACT.get(self._coerce)

    def complete(self, execution: Execution, value: Value, _path: Path) -> Value:
        """Return a value as its type has it."""
        if value is None or is_null(value):
            return None
        coerced = self._coerce(value)
        if coerced is None or coerced is Undefined:
            message = (
                f"Expected `{inspect(self._kind)}.coerce_output_value({inspect(value)})`"
                f" to return non-nullable value, returned: {inspect(coerced)}"
            )
            raise TypeError(message)
        if type(coerced) not in PLAIN and is_awaited(execution, coerced):
            return Later(coerced)
        return coerced


class Objects:
    """Completes objects of one type."""

    def __init__(self, selection: Selection, field: Field) -> None:
        self._kind = selection.kind
        self._selection = selection
        self._field = field

    def complete(self, execution: Execution, value: Value, path: Path) -> Value:
        """Return the answer of an object, if it is of its type."""
        if self._kind.is_type_of is None and type(value) in ATTRIBUTES:
            return self._selection.by_attribute(execution, value, path)
        if value is None or (type(value) not in PLAIN and is_null(value)):
            return None
        is_of: Value = True
        if self._kind.is_type_of:
            is_of = self._kind.is_type_of(value, execution.info(self._field, path))
            if type(is_of) is not bool and execution.is_awaitable(is_of):
                return Later(self._complete_later(execution, is_of, value, real_path(path)))
        return self._if(is_of, value)(execution, value, path)

    async def _complete_later(
        self, execution: Execution, is_of: Awaitable[bool], value: Value, path: Path
    ) -> Value:
        return await complete_later(execution, self._if(await is_of, value), value, path)

    def _if(self, is_of: Value, value: Value) -> Complete:
        """Return what completes an object. Raises GraphQLError if it is of another type."""
        if is_of:
            return self._selection.run
        message = f"Expected value of type '{self._kind}' but got: {inspect(value)}."
        raise GraphQLError(message, self._field.nodes)


class Abstract:
    """Completes values of an interface or a union, once their types are known."""

    def __init__(
        self,
        kind: GraphQLAbstractType,
        field: Field,
        objects: Callable[[GraphQLObjectType], Objects],
    ) -> None:
        self._kind = kind
        self._field = field
        self._objects = objects
        self._known: dict[str, Complete] = {}

    def complete(self, execution: Execution, value: Value, path: Path) -> Value:
        """Return the answer of an object of any of the types."""
        if value is None or is_null(value):
            return None
        resolve = self._kind.resolve_type or execution.type_resolver
        name = value.get("__typename") if type(value) is dict else None
        if type(name) is not str or resolve is not default_type_resolver:
            name = resolve(value, execution.info(self._field, path), self._kind)
        if type(name) is str and name in self._known:
            return self._known[name](execution, value, path)
        if execution.is_awaitable(name):
            return Later(self._complete_later(execution, name, value, real_path(path)))
        return self._of(execution, name, value)(execution, value, path)

    async def _complete_later(
        self, execution: Execution, name: Awaitable[str | None], value: Value, path: Path
    ) -> Value:
        complete = self._of(execution, await name, value)
        return await complete_later(execution, complete, value, path)

    def _of(self, execution: Execution, name: object, value: Value) -> Complete:
        """Return what completes objects of the type of a name. Raises GraphQLError."""
        kind, schema, message = self._kind, execution.schema, ""
        field = self._field.label
        found = schema.get_type(name) if isinstance(name, str) else None
        must = f"Abstract type '{kind}' must resolve to an Object type at runtime for field "
        if name is None:
            message = (
                f"{must}'{field}'. Either the '{kind}' type should provide a 'resolve_type' "
                "function or each possible type should provide an 'is_type_of' function."
            )
        elif not isinstance(name, str):
            message = (
                f"{must}'{field}' with value {inspect(value)}, received '{inspect(name)}', "
                "which is not a valid Object type name."
            )
        elif found is None:
            message = (
                f"Abstract type '{kind}' was resolved to a type '{name}' "
                "that does not exist inside the schema."
            )
        elif not is_object_type(found):
            message = f"Abstract type '{kind}' was resolved to a non-object type '{name}'."
        elif not schema.is_sub_type(kind, found):
            message = f"Runtime Object type '{found}' is not a possible type for '{kind}'."
        else:
            complete = self._known[name] = self._objects(found).complete
            return complete
        raise GraphQLError(message, self._field.nodes)


class Lists:
    """Completes lists; `selection` is that of items which are objects of their type for sure."""

    def __init__(self, item: Position, selection: Selection | None, field: Field) -> None:
        self._item = item
        self._selection = selection
        self._field = field

    def complete(self, execution: Execution, values: Value, path: Path) -> Value:
        """Return the answer of a list."""
        if type(values) is not list:
            if values is None or is_null(values):
                return None
            if type(values) is LazyRows and self._selection:
                written = self._selection.write(execution, values)
                if written is not None:
                    return written
            if execution.is_async_iterable(values):
                return Later(self._complete_later(execution, values, real_path(path)))
            if not is_iterable(values):
                message = (
                    f"Expected Iterable, but did not find one for field '{self._field.label}'."
                )
                raise GraphQLError(message)
        answer: list[Value] = []
        items = iter(values)
        add = self._add_objects if self._selection else self._add_values
        try:
            add(execution, items, answer, (path, answer, None))
        except Exception:
            with suppress(Exception):  # as graphql-core does: what is left may raise, too
                settle(items)
            raise
        return answer

    def _add_values(
        self, execution: Execution, items: Iterable[Value], answer: list[Value], here: Path
    ) -> None:
        settle_item, exact = self._item.settle, self._item.exact
        for value in items:
            if type(value) is exact:
                answer.append(value)
                continue
            done = settle_item(execution, value, here)
            if type(done) is Pending:
                done.container, done.key = answer, len(answer)
            answer.append(done)

    def _add_objects(
        self, execution: Execution, items: Iterator[Value], answer: list[Value], here: Path
    ) -> None:
        selection, item, pending = self._selection, self._item, execution.pending
        add, nullable = answer.append, item.nullable
        assert selection is not None  # noqa: S101 — for mypy: it is called for no other
        for value in items:
            mark = len(pending)
            try:
                if type(value) in ATTRIBUTES:
                    done = selection.by_attribute(execution, value, here)
                elif type(value) is dict:
                    done = selection.by_key(execution, value, here)
                else:
                    done = item.settle(execution, value, here)
            except Exception as error:  # noqa: BLE001 — whatever it is, it is this item's
                execution.abandon(mark)
                done = item.fail(execution, error, here)
            if len(pending) > mark:
                if nullable:
                    done = execution.enclose(item, done, here, mark)
                if type(done) is Pending:
                    done.container, done.key = answer, len(answer)
            add(done)

    async def _complete_later(
        self, execution: Execution, values: AsyncIterable[Value], path: Path
    ) -> list[Value]:
        items = aiter(values)
        answer: list[Value] = []
        waiting: list[Pending] = []
        try:
            async for value in items:
                self._add_values(execution, (value,), answer, (path, answer, None))
                waiting += execution.taken()
        except Exception as error:  # noqa: BLE001 — whatever it is, it is the list's
            waiting += execution.taken()
            with suppress(Exception):
                await items.aclose()  # type: ignore[attr-defined]  # if it has one
            settle([each.fill() for each in waiting])
            raise located_error(error, self._item.nodes, keys_of(path)) from None
        await fill(waiting)
        return answer


async def complete_later(
    execution: Execution, complete: Complete, value: Value, path: Path
) -> Value:
    """Complete a value, and wait for all that it begins."""
    try:
        done = complete(execution, value, path)
    except Exception:
        execution.abandon(0)
        raise
    if type(done) is Later:
        return await done.awaitable
    await fill(execution.taken())
    return done
