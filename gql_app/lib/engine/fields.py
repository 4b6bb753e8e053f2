"""Fields and values: how fields are resolved, and how their values become JSON.

It is GraphQL sections 6.4.2, ResolveFieldValue, and 6.4.3, CompleteValue.
"""

from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    ResponsePath,
    Undefined,
    default_field_resolver,
    get_argument_values,
    is_non_null_type,
)
from graphql.pyutils import inspect, is_awaitable, is_iterable

from gql_app.lib.engine.execution import (
    Complete,
    Completion,
    Execution,
    Path,
    Pending,
    Value,
    complete_later,
    real_path,
)
from gql_app.lib.engine.generated import object_function
from gql_app.lib.engine.rows import LazyRows, Nested, fill_nested, item_paths, row_writer
from gql_app.lib.engine.waiting import FAILURES, IMMUTABLE, SPECIAL
from gql_app.lib.faults import fault_of

GENERATE_AFTER: Final = 32
"""Objects of a selection after which a function is generated for it."""
MAX_CACHED_COLUMNS: Final = 8
"""The most sets of columns whose row writers are kept: an application reads one or two."""
Plan: TypeAlias = Callable[["Selection", Execution], list["Field"]]
"""Returns the fields that are selected of an object type. Raises GraphQLError."""
Resolver: TypeAlias = Callable[..., Value]
_new = tuple.__new__


class Position:
    """A response position, which may fail by itself: a field, or an item of a list."""

    __slots__ = (
        "complete", "details", "exact", "kind", "label", "nullable", "selection", "suspends",
    )  # fmt: skip

    complete: Complete
    """Completes a value that is not null."""
    exact: type | None
    """The type whose values are complete as they are."""

    def __init__(self, kind: GraphQLOutputType, details: Value, label: str) -> None:
        """Take a type, graphql-core's details of what selects it, and its field's name."""
        self.kind = kind
        self.details = details
        self.label = label
        self.nullable = not is_non_null_type(kind)
        self.selection: Selection | None = None
        """The selection of a list's items, if all are objects of one type."""
        self.suspends: bool | None = None
        """Whether an awaitable here has ever suspended; None if that is not known yet."""

    def completed(self, execution: Execution, value: Value, path: Path) -> Value:
        """Return a completed value. Raises it if it is an exception, TypeError for a wrong null."""
        if SPECIAL[type(value)] and isinstance(value, Exception):
            raise value
        if value is not None and value is not Undefined:
            return self.complete(execution, value, path)
        if self.nullable:
            return None
        message = f"Cannot return null for non-nullable field {self.label}."
        raise TypeError(message)

    def settle(self, execution: Execution, value: Value, path: Path) -> Value:
        """Return a completed value, or a Pending; null if it fails and may be null."""
        mark = len(execution.pending)
        try:
            special = SPECIAL[type(value)]
            if special and execution.is_awaitable(value):
                return execution.add_pending(self, value, path)
            complete = self.completed if special or value is None else self.complete
            done = complete(execution, value, path)
            if type(done) is Completion:
                return execution.add_pending(self, done, path)
        except FAILURES as error:
            execution.abandon(mark)
            return self.fail(execution, error, path)
        if self.nullable and len(execution.pending) > mark:
            return execution.await_non_null(self, done, path, mark)
        return done

    def fail(self, execution: Execution, error: Exception | CancelledError, path: Path) -> Value:
        """Add an error and return null if that is allowed; raise it, located, if it is not."""
        where: Any = real_path(path)
        fault = error if isinstance(error, Exception) else fault_of(error)
        try:
            str(fault.message if isinstance(fault, GraphQLError) else fault)
        except Exception as why:  # noqa: BLE001 — any __str__() may raise anything
            fault = why
        execution.handle_field_error(fault, self.kind, self.details, where)
        return None


class Field(Position):
    """A field as an operation selects it of one type."""

    __slots__ = (
        "attribute", "definition", "name", "nested", "nodes", "parent", "resolve", "run",
        "typename",
    )  # fmt: skip

    run: Complete
    """Returns the completed field of an object at a path."""

    def __init__(
        self, name: str, details: Value, definition: GraphQLField, parent: GraphQLObjectType
    ) -> None:
        self.nodes = [each.node for each in details]
        super().__init__(definition.type, details, f"{parent.name}.{self.nodes[0].name.value}")
        self.name = name
        self.definition = definition
        self.parent = parent
        self.typename = parent.name
        self.resolve: Callable[..., Value] | None = None
        """The resolver that is called instead of the definition's."""
        self.nested: Nested | None = None
        """How it is read for rows of which no objects are built; the field is then nullable."""
        self.attribute = ""
        """The attribute that the field reads if no resolver is called; it must exist."""

    def constant(self, _execution: Execution, _source: Value, _path: Path) -> Value:
        """Return the type's name."""
        return self.typename

    def read(self, execution: Execution, source: Value, path: Path) -> Value:
        """Return the completed value of the field's attribute."""
        here: Path = (path, self.name, self.typename)
        try:
            value = getattr(source, self.attribute)
        except FAILURES as error:
            return self.fail(execution, error, here)
        return value if type(value) is self.exact else self.settle(execution, value, here)

    def call(self, execution: Execution, source: Value, path: Path) -> Value:
        """Return the completed result of the resolver."""
        here = _new(ResponsePath, (real_path(path), self.name, self.typename))
        try:
            call = execution.calls.get(self)
            if call is None:
                resolve, info, arguments = self._prepare_call(execution, here)
            else:
                resolve, kind, before, after, arguments = call
                info = _new(kind, (*before, here, *after))
                if arguments is None:
                    arguments = self._coerce_arguments(execution)
            value = resolve(source, info, **arguments)
        except FAILURES as error:
            return self.fail(execution, error, here)
        return value if type(value) is self.exact else self.settle(execution, value, here)

    def _prepare_call(self, execution: Execution, path: ResponsePath) -> tuple[Value, Value, Value]:
        """Return the resolver, an info and the arguments, which are kept for other objects."""
        resolve = self.resolve or self.definition.resolve or default_field_resolver
        info = execution.build_resolve_info(self.definition, self.nodes, self.parent, path)
        arguments = again = execution.arguments.get(self)
        if arguments is None:
            arguments = self._coerce_arguments(execution)
            if IMMUTABLE.issuperset(map(type, arguments.values())):
                again = execution.arguments[self] = arguments
        if path.prev is not None:  # without arguments if each call has its own
            execution.calls[self] = resolve, type(info), info[:4], info[5:], again
        return resolve, info, arguments

    def _coerce_arguments(self, execution: Execution) -> dict[str, Value]:
        """Return the coerced arguments (section 6.4.1)."""
        node, definition = self.nodes[0], self.definition
        if not (definition.args or node.arguments):
            return {}
        hidden = execution.hide_suggestions
        variables = execution.variable_values
        return get_argument_values(definition, node, variables, hide_suggestions=hidden)


def unwrapped(
    function: Resolver,
    fallback: Resolver,
    checks: Sequence[Resolver],
    names: Mapping[str, str],
    plain: frozenset[str],
    info_name: str,
    info_class: Callable[..., Value],
    field: Value,
) -> Resolver:
    """Return a resolver that calls a function without its library's wrapper, once all checks pass.

    The function takes arguments by Python's `names`, and an info of the library's. The library's
    resolver, `fallback`, is called if an argument is not `plain`, because it converts that, and if
    a check refuses without raising, which few do.
    """

    def named(arguments: dict[str, Value]) -> dict[str, Value] | None:
        if any(value is not None and name not in plain for name, value in arguments.items()):
            return None
        return {names[name]: value for name, value in arguments.items()}

    def call(source: Value, info: Value, **arguments: Value) -> Value:
        known = named(arguments) if arguments else {}
        if known is None:
            return fallback(source, info, **arguments)
        known[info_name] = info_class(info, field)
        return function(source, **known)

    async def call_if_checked(source: Value, info: Value, **arguments: Value) -> Value:
        known = named(arguments) if arguments else {}
        if known is not None:
            ours = info_class(info, field)
            for check in checks:
                answer: Value = check(source, ours, **known)
                if (await answer if is_awaitable(answer) else answer) is not True:
                    break
            else:
                return await function(source, **known, **{info_name: ours})
        value = fallback(source, info, **arguments)
        return await value if is_awaitable(value) else value

    return call_if_checked if checks else call


class Selection:
    """A selection of an object type; planned when its first object is completed."""

    __slots__ = ("count", "details", "function", "kind", "known", "nested", "plan", "writers")

    def __init__(self, plan: Plan, kind: GraphQLObjectType, details: Value) -> None:
        self.plan = plan
        self.kind = kind
        self.details = details
        self.known: list[Field] | None = None
        self.nested: list[Field] = []
        self.count = 0
        self.function: Complete | None = None
        """The generated function."""
        self.writers: dict[tuple[tuple[str, ...], frozenset[str]], Value] = {}

    def fields(self, execution: Execution) -> list[Field]:
        """Return the planned fields. Raises GraphQLError if a directive is invalid."""
        if self.known is None:
            self.known = self.plan(self, execution)
            self.nested = [each for each in self.known if each.nested]
        return self.known

    def complete(self, execution: Execution, value: Value, path: Path) -> Value:
        """Return the completed object, by a generated function after GENERATE_AFTER objects."""
        if self.function is not None:
            return self.function(execution, value, path)
        self.count += 1
        if self.count > GENERATE_AFTER:
            self.function = object_function(self.fields(execution))
        answer: dict[str, Value] = {}
        for field in self.fields(execution):
            done = answer[field.name] = field.run(execution, value, path)
            if type(done) is Pending:
                done.container, done.key = answer, field.name
        return answer

    def write(self, execution: Execution, rows: LazyRows[Any], paths: Value) -> list[Value] | None:
        """Return the completed rows at some paths; None if objects must be built of them."""
        try:
            fields = self.fields(execution)
        except GraphQLError:  # of a condition that is null; each object reports it
            return None if rows.values else []
        key = tuple(rows.columns), rows.written
        if key not in self.writers:
            if len(self.writers) >= MAX_CACHED_COLUMNS:
                self.writers.clear()
            self.writers[key] = row_writer(fields, rows.columns, rows.written)
        answer: list[Value] | None = (write := self.writers[key]) and write(rows.values)
        for field in self.nested if answer else ():
            filled = fill_nested(execution, field, rows, answer, paths)
            pending = execution.add_pending(field, Completion(filled), next(iter(paths())))
            pending.container, pending.key = {}, field.name
        return answer


def leaf(kind: GraphQLLeafType) -> Complete:
    """Return the function that completes a scalar or an enum."""

    def complete(execution: Execution, value: Value, _path: Path) -> Value:
        coerced = execution.complete_leaf_value(kind, value)
        is_later = SPECIAL[type(coerced)] and execution.is_awaitable(coerced)
        return Completion(coerced) if is_later else coerced

    return complete


def objects(selection: Selection, field: Field) -> Complete:
    """Return the function that completes objects of one type."""
    kind, is_type_of = selection.kind, selection.kind.is_type_of
    if is_type_of is None:
        return selection.complete

    def complete_if(value: Value, is_of: object) -> Complete:
        if is_of:
            return selection.complete
        message = f"Expected value of type '{kind}' but got: {inspect(value)}."
        raise GraphQLError(message)

    def complete(execution: Execution, value: Value, path: Path) -> Value:
        is_of: Value = is_type_of(value, execution.info(field, path))
        choose = partial(complete_if, value)
        if type(is_of) is not bool and execution.is_awaitable(is_of):
            return Completion(complete_later(execution, is_of, choose, value, real_path(path)))
        return choose(is_of)(execution, value, path)

    return complete


class Lists(NamedTuple):
    """Completes lists."""

    kind: Value
    field: Field
    item: Position
    selection: Selection | None
    """The selection of its items, if all are objects of one type."""

    def complete(self, execution: Execution, values: Value, path: Path) -> Value:
        """Return the completed list."""
        if type(values) is not list:
            if type(values) is LazyRows and self.selection:
                paths = partial(item_paths, [path], [len(values.values)])
                written = self.selection.write(execution, values, paths)
                if written is not None:
                    return written
            if execution.is_async_iterable(values) or not is_iterable(values):
                return self._complete_later(execution, values, real_path(path))
        answer: list[Value] = []
        items = iter(values)
        try:
            self._add(execution, items, answer, (path, answer, None))
        except FAILURES:
            with suppress(*FAILURES):  # as graphql-core does: what is left may raise, too
                execution.track_async_work(list(items))
            raise
        return answer

    def _add(
        self, execution: Execution, items: Iterator[Value], answer: list[Value], here: Path
    ) -> None:
        item, exact, function = self.item, self.item.exact, None
        if self.selection and not item.nullable:  # an item's error is the list's
            function = self.selection.function
        for value in items:
            if type(value) is exact:
                done = value
            elif function and value is not None and not SPECIAL[type(value)]:
                done = function(execution, value, here)
            else:
                done = item.settle(execution, value, here)
            if type(done) is Pending:
                done.container, done.key = answer, len(answer)
            answer.append(done)

    def _complete_later(self, execution: Execution, values: Value, path: Value) -> Completion:
        """Return a Completion of an async iterable. Raises GraphQLError if it is not one."""
        details, info = self.field.details, execution.info(self.field, path)
        item: Value = self.item
        done: Value = execution.complete_list_value(self.kind, details, info, path, values, item)
        return Completion(done)
