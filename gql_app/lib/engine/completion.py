"""Value completion (GraphQL section 6.4.3): how each type's values become JSON."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from graphql import (
    GraphQLAbstractType,
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLString,
    Undefined,
    is_object_type,
    located_error,
)
from graphql.pyutils import inspect, is_iterable

from gql_app.lib.engine.execution import (
    ATTRIBUTES,
    PLAIN,
    Complete,
    Execution,
    Field,
    Later,
    Path,
    Pending,
    Position,
    Selection,
    Value,
    fill,
    keys_of,
    real_path,
    settle,
)
from gql_app.lib.engine.rows import MAX_CACHED_COLUMNS, LazyRows, Row, row_writer

EXACT: Final[dict[Callable[[Value], Value], type]] = {
    GraphQLString.coerce_output_value: str,
    GraphQLID.coerce_output_value: str,
    GraphQLBoolean.coerce_output_value: bool,
}
"""Types whose values are returned as they are, by what coerces them."""


def leaf(kind: GraphQLLeafType) -> Complete:
    """Return what completes scalars and enums."""
    coerce = kind.coerce_output_value
    exact = EXACT.get(coerce)

    def complete(execution: Execution, value: Value, _path: Path) -> Value:
        if type(value) is exact:
            return value
        if value is None or value is Undefined:
            return None
        if isinstance(value, Exception):
            raise value
        coerced: Value = coerce(value)
        if coerced is None or coerced is Undefined:
            message = (
                f"Expected `{inspect(kind)}.coerce_output_value({inspect(value)})`"
                f" to return non-nullable value, returned: {inspect(coerced)}"
            )
            raise TypeError(message)
        if type(coerced) not in PLAIN and execution.awaits(coerced):
            return Later(coerced)
        return coerced

    return complete


def non_null(inner: Complete, name: str) -> Complete:
    """Return what completes a value that may not be null, of a field of this name."""

    def complete(execution: Execution, value: Value, path: Path) -> Value:
        completed = inner(execution, value, path)
        if completed is None:
            message = f"Cannot return null for non-nullable field {name}."
            raise TypeError(message)
        return completed

    return complete


def object_of(selection: Selection, field: Field) -> Complete:
    """Return what completes objects of which this is selected."""
    kind, run = selection.kind, selection.run

    def complete(execution: Execution, value: Value, path: Path) -> Value:
        if type(value) not in PLAIN:
            if value is Undefined:
                return None
            if isinstance(value, Exception):
                raise value
        elif value is None:
            return None
        return run(execution, value, path)

    def complete_if_of(execution: Execution, value: Value, path: Path) -> Value:
        if value is None or value is Undefined:
            return None
        if isinstance(value, Exception):
            raise value
        assert kind.is_type_of is not None
        is_of = kind.is_type_of(value, execution.info(field, path))
        if type(is_of) is not bool and execution.is_awaitable(is_of):
            return Later(complete_when_known(execution, is_of, value, real_path(path)))
        if not is_of:
            raise wrong(value)
        return run(execution, value, path)

    async def complete_when_known(
        execution: Execution, is_of: Any, value: Value, path: Path
    ) -> Value:
        if not await is_of:
            raise wrong(value)
        return await execution.complete_later(run, value, path)

    def wrong(value: Value) -> GraphQLError:
        message = f"Expected value of type '{kind}' but got: {inspect(value)}."
        return GraphQLError(message, field.nodes)

    return complete_if_of if kind.is_type_of else complete


def abstract_of(
    kind: GraphQLAbstractType,
    field: Field,
    object_complete: Callable[[GraphQLObjectType], Complete],
) -> Complete:
    """Return what completes values of an interface or a union, once their types are known."""
    known: dict[str, Complete] = {}

    def complete(execution: Execution, value: Value, path: Path) -> Value:
        if value is None or value is Undefined:
            return None
        if isinstance(value, Exception):
            raise value
        info = execution.info(field, path)
        name = (kind.resolve_type or execution.type_resolver)(value, info, kind)
        if type(name) is str and name in known:
            return known[name](execution, value, path)
        if execution.is_awaitable(name):
            return Later(complete_when_known(execution, name, value, real_path(path)))
        return of(execution, name, value)(execution, value, path)

    async def complete_when_known(
        execution: Execution, name: Any, value: Value, path: Path
    ) -> Value:
        complete = of(execution, await name, value)
        return await execution.complete_later(complete, value, path)

    def of(execution: Execution, name: Value, value: Value) -> Complete:
        found = known.get(name) if isinstance(name, str) else None
        if found is None:
            found = known[name] = object_complete(runtime_type(execution, name, value))
        return found

    def runtime_type(execution: Execution, name: Value, value: Value) -> GraphQLObjectType:
        where = f"{field.parent}.{field.nodes[0].name.value}"
        if name is None:
            message = (
                f"Abstract type '{kind}' must resolve to an Object type at runtime for field "
                f"'{where}'. Either the '{kind}' type should provide a 'resolve_type' function "
                "or each possible type should provide an 'is_type_of' function."
            )
            raise GraphQLError(message, field.nodes)
        if not isinstance(name, str):
            message = (
                f"Abstract type '{kind}' must resolve to an Object type at runtime for field "
                f"'{where}' with value {inspect(value)}, received '{inspect(name)}', which is not "
                "a valid Object type name."
            )
            raise GraphQLError(message, field.nodes)
        found = execution.schema.get_type(name)
        if found is None:
            message = (
                f"Abstract type '{kind}' was resolved to a type '{name}' "
                "that does not exist inside the schema."
            )
            raise GraphQLError(message, field.nodes)
        if not is_object_type(found):
            message = f"Abstract type '{kind}' was resolved to a non-object type '{name}'."
            raise GraphQLError(message, field.nodes)
        if not execution.schema.is_sub_type(kind, found):
            message = f"Runtime Object type '{found}' is not a possible type for '{kind}'."
            raise GraphQLError(message, field.nodes)
        return found

    return complete


def list_of(item: Position, selection: Selection | None, name: str) -> Complete:
    """Return what completes lists of items of a field of this name.

    A `selection` is that of objects which are of their type for sure.
    """
    settle_item, exact = item.settle, item.exact
    writers: dict[tuple[str, ...], Callable[[Sequence[Row]], list[Value]] | None] = {}

    def writer(
        fields: Sequence[Field], columns: Sequence[str]
    ) -> Callable[[Sequence[Row]], list[Value]] | None:
        key = tuple(columns)
        if key not in writers:
            if len(writers) >= MAX_CACHED_COLUMNS:
                writers.clear()
            writers[key] = row_writer(fields, columns)
        return writers[key]

    def complete(execution: Execution, values: Value, path: Path) -> Value:
        if type(values) is not list:
            if values is None or values is Undefined:
                return None
            if isinstance(values, Exception):
                raise values
            if type(values) is LazyRows and selection:
                write = writer(selection.begun(execution), values.columns)
                if write:
                    return write(values.values)
            if execution.is_async_iterable(values):
                return Later(complete_async(execution, values, real_path(path)))
            if not is_iterable(values):
                message = f"Expected Iterable, but did not find one for field '{name}'."
                raise GraphQLError(message)
        iterator = iter(values)
        answer: list[Value] = []
        try:
            if selection is None:
                add_values(execution, iterator, answer, path)
            else:
                add_objects(execution, iterator, answer, path)
        except Exception:
            with suppress(Exception):
                if left := [each for each in iterator if execution.is_awaitable(each)]:
                    settle(left)
            raise
        return answer

    def add_values(
        execution: Execution, values: Iterable[Value], answer: list[Value], path: Path
    ) -> None:
        here = (path, answer, None)
        for value in values:
            if type(value) is exact:
                answer.append(value)
                continue
            done = settle_item(execution, value, here)
            if type(done) is Pending:
                done.container, done.key = answer, len(answer)
            answer.append(done)

    def add_objects(
        execution: Execution, values: Iterator[Value], answer: list[Value], path: Path
    ) -> None:
        assert selection is not None
        add, here, pending = answer.append, (path, answer, None), execution.pending
        nullable = item.nullable
        for value in values:
            kind = type(value)
            mark = len(pending)
            try:
                if kind in ATTRIBUTES:
                    done = selection.by_attribute(execution, value, here)
                elif kind is dict:
                    done = selection.by_key(execution, value, here)
                else:
                    done = settle_item(execution, value, here)
            except Exception as error:  # noqa: BLE001 — whatever it is, it is this item's
                execution.abandon(mark)
                done = item.fail(execution, error, here)
            else:
                if nullable and len(pending) > mark:
                    done = execution.enclose(item, done, here, mark)
            if type(done) is Pending:
                done.container, done.key = answer, len(answer)
            add(done)

    async def complete_async(execution: Execution, values: Any, path: Path) -> list[Value]:
        iterator: AsyncIterator[Value] = values.__aiter__()
        answer: list[Value] = []
        waiting: list[Pending] = []
        try:
            while True:
                try:
                    value = await anext(iterator)
                except StopAsyncIteration:
                    break
                except Exception as error:
                    raise located_error(error, item.nodes, keys_of(path)) from error
                add_values(execution, (value,), answer, path)
                waiting += execution.taken()
        except Exception:
            if close := getattr(iterator, "aclose", None):
                with suppress(Exception):
                    await close()
            if waiting := [*waiting, *execution.taken()]:
                settle([each.fill() for each in waiting])
            raise
        await fill(waiting)
        return answer

    return complete
