"""CompiledExecutor: graphql-core's executor, whose operations run compiled plans.

What an operation selects of each type is planned once, and kept.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from threading import Lock
from typing import ClassVar, Final

from graphql import (
    GraphQLAbstractType,
    GraphQLBoolean,
    GraphQLField,
    GraphQLID,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    OperationType,
    TypeNameMetaFieldDef,
    default_field_resolver,
    default_type_resolver,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_object_type,
)
from graphql.execution.execute import assume_not_awaitable
from graphql.execution.incremental import IncrementalExecutor
from graphql.pyutils import is_awaitable

from gql_app.lib.engine.execution import (
    Complete,
    Completion,
    Execution,
    Operation,
    Path,
    Value,
    complete_later,
    real_path,
)
from gql_app.lib.engine.fields import Field, Lists, Position, Resolver, Selection, leaf, objects
from gql_app.lib.engine.rows import Nested

MAX_OPERATIONS: Final = 256
"""The most operations that are kept with their plans."""
MAX_FIELDS: Final = 20_000
"""The most planned fields of all of them together, of some two kilobytes each."""
EXACT: Final[Mapping[Callable[[Value], Value], type]] = {
    GraphQLString.coerce_output_value: str,
    GraphQLID.coerce_output_value: str,
    GraphQLBoolean.coerce_output_value: bool,
}
"""By coercing function, the type whose values it returns unchanged."""

Simplify = Callable[[GraphQLField], tuple[str | None, Resolver | None, Nested | None]]
"""Returns the attribute that a field's resolver only reads, or a faster resolver with the same
result, None for neither; and how the field is read for rows."""


class Plan:
    """The plan of an operation for one combination of its conditions.

    A selection is planned when its first object is completed, once for each type and the nodes
    that select it: no document makes a plan that is larger than its data.
    """

    def __init__(self, operation: Operation, *, default_resolvers: bool) -> None:
        self._operation = operation
        self._default_resolvers = default_resolvers
        self._selections: dict[Hashable, Selection] = {}

    def fields(self, selection: Selection, execution: Execution) -> list[Field]:
        """Return the fields that are selected of an object type. Raises GraphQLError."""
        collector = IncrementalExecutor(  # a new one, because it caches what it collects
            execution.schema, execution.fragment_definitions, execution.fragments, None, None,
            execution.operation, execution.variable_values, default_field_resolver,
            default_type_resolver, default_field_resolver,
            hide_suggestions=execution.hide_suggestions,
        )  # fmt: skip
        collected = collector.collect_subfields(selection.kind, selection.details)
        planned = [
            self._field(selection.kind, name, details)
            for name, details in collected.grouped_field_set.items()
        ]
        known = [field for field in planned if field]
        self._operation.size += len(known)
        return known

    def _field(self, parent: GraphQLObjectType, name: str, details: Value) -> Field | None:
        """Return a planned field, None if the type has none of this name."""
        definition = self._operation.schema.get_field(parent, details[0].node.name.value)
        if definition is None:
            return None
        field = Field(name, details, definition, parent)
        self._complete(field, field)
        field.run = field.call
        if self._default_resolvers:
            self._simplify(field)
        return field

    def _simplify(self, field: Field) -> None:
        """Replace the resolver of a field that only reads an attribute."""
        definition = field.definition
        if definition is TypeNameMetaFieldDef:
            field.run = field.constant
        elif definition.args or field.nodes[0].arguments:
            field.resolve = self._operation.simplify(definition)[1]
        elif definition.resolve in {None, default_field_resolver}:
            field.attribute = field.nodes[0].name.value
            field.run = field.read
        else:
            attribute, field.resolve, nested = self._operation.simplify(definition)
            field.nested = nested if field.nullable and field.selection else None
            if attribute is not None:
                field.attribute, field.strict, field.run = attribute, True, field.read

    def _complete(self, position: Position, field: Field) -> None:
        """Plan how a position's values are completed, from the outside in."""
        kind: Value = get_nullable_type(position.kind)

        def objects_of(kind: GraphQLObjectType) -> Complete:
            return objects(self.selection(kind, field.details), field)

        position.exact = None
        if is_leaf_type(kind):
            position.exact = EXACT.get(kind.coerce_output_value)
            position.complete = leaf(kind)
        elif is_list_type(kind):
            item = Position(kind.of_type, field.details, field.label)
            self._complete(item, field)
            named = get_nullable_type(kind.of_type)
            certain = is_object_type(named) and not named.is_type_of
            position.selection = self.selection(named, field.details) if certain else None
            position.complete = Lists(kind, field, item, position.selection).complete
        elif is_abstract_type(kind):
            position.complete = abstract(kind, field, objects_of)
        else:
            position.complete = objects_of(kind)

    def selection(self, kind: GraphQLObjectType, details: Value) -> Selection:
        """Return the selection that some nodes make of a type."""
        nodes = [(id(each.node), id(each.fragment_variable_values)) for each in details]
        key = (kind.name, *nodes)
        if key not in self._selections:
            self._selections[key] = Selection(self.fields, kind, details)
        return self._selections[key]


def abstract(
    kind: GraphQLAbstractType, field: Field, objects_of: Callable[[GraphQLObjectType], Complete]
) -> Complete:
    """Return the function that completes an interface's or a union's values by their types."""
    known: dict[str, Complete] = {}

    def of_type(execution: Execution, value: Value, path: Path, name: Value) -> Complete:
        info = execution.info(field, path)
        found = execution.ensure_valid_runtime_type(name, kind, field.details, info, value)
        known[name] = objects_of(found)
        return known[name]

    def complete(execution: Execution, value: Value, path: Path) -> Value:
        resolve = kind.resolve_type or execution.type_resolver
        name: Value = resolve(value, execution.info(field, path), kind)
        if type(name) is str and name in known:
            return known[name](execution, value, path)
        here = real_path(path)
        choose = partial(of_type, execution, value, here)
        if execution.is_awaitable(name):
            return Completion(complete_later(execution, name, choose, value, here))
        return choose(name)(execution, value, path)

    return complete


class CompiledExecutor(Execution):
    """Executes operations as graphql-core does, several times as fast.

    It is an `executor_class` of graphql-core's `execute`, and Strawberry's
    `execution_context_class`. graphql-core itself runs subscriptions, `@defer` and `@stream`, and
    operations with execution hooks or with the caller's own `is_awaitable`. A schema and a
    document must not be changed once they are executed.
    """

    awaitables: ClassVar[frozenset[Value]] = frozenset({is_awaitable, assume_not_awaitable})
    """The `is_awaitable` functions that decide by a value's type."""

    of_strawberry: ClassVar["type[CompiledExecutor] | None"] = None
    """The class that is built where Strawberry executes."""

    @classmethod
    def simplify(cls, _schema: GraphQLSchema) -> Simplify:
        """Return the function that simplifies a field: here none is simplified."""
        return lambda _definition: (None, None, None)

    @classmethod
    def build(cls, *args: Value, **options: Value) -> Value:
        """Return a new executor, or the errors of the request."""
        if cls is CompiledExecutor and cls.of_strawberry and "operation_extensions" in options:
            return cls.of_strawberry.build(*args, **options)
        return super().build(*args, **options)

    def execute_operation(self, serially: bool | None = None) -> Value:  # noqa: FBT001 — it is graphql-core's signature
        """Return the operation's result, or an awaitable of it."""
        operation = _operation(self)
        if (
            operation.is_incremental
            or self.hooks is not None
            or not any(self.is_awaitable is each for each in self.awaitables)
            or self.operation.operation is OperationType.SUBSCRIPTION
        ):
            return super().execute_operation(serially)
        if self.abort_signal is not None and self.abort_signal.aborted:
            raise self.abort_error()
        return self.run(operation, serially=serially)


operations: Final[OrderedDict[tuple[int, int, type], Operation]] = OrderedDict()
"""An LRU cache of the executed operations, with their plans."""
_lock: Final = Lock()


def planned_fields() -> int:
    """Return the number of planned fields of all operations that are kept."""
    return sum(each.size for each in operations.values())


def _operation(executor: CompiledExecutor) -> Operation:
    """Return an executor's operation, cached by its node and those of its fragments."""
    key = (id(executor.operation), id(executor.schema), type(executor))
    with _lock:
        known = operations.get(key)
        if known and known.fragments == executor.fragment_definitions:
            operations.move_to_end(key)
            return known
        operation = operations[key] = Operation(executor, Plan)
        while len(operations) > MAX_OPERATIONS or planned_fields() > MAX_FIELDS:
            operations.popitem(last=False)
        return operation
