"""CompiledExecutor: graphql-core's executor, whose operations run compiled plans.

What an operation selects of each type is worked out once, and kept.
"""

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Lock
from types import SimpleNamespace
from typing import Any, ClassVar, Final

from graphql import (
    ExecutionResult,
    GraphQLAbstractType,
    GraphQLBoolean,
    GraphQLError,
    GraphQLField,
    GraphQLID,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    OperationType,
    TypeNameMetaFieldDef,
    Undefined,
    VariableNode,
    VariableValues,
    default_field_resolver,
    default_type_resolver,
    get_nullable_type,
    get_variable_values,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_object_type,
)
from graphql.execution.execute import assume_not_awaitable
from graphql.execution.incremental import IncrementalExecutor
from graphql.pyutils import is_awaitable

from gql_app.lib.engine.complexity import selected
from gql_app.lib.engine.execution import (
    Complete,
    Execution,
    Later,
    Path,
    Value,
    Variables,
    real_path,
)
from gql_app.lib.engine.fields import (
    Field,
    Lists,
    Position,
    Selection,
    complete_later,
    leaf,
    objects,
)
from gql_app.lib.engine.rows import Nested

MAX_COMBINATIONS: Final = 8
"""Combinations of what @skip and @include depend on for which an operation has plans."""
MAX_VARIABLE_ERRORS: Final = 50
"""Errors of variables that are answered, as graphql-core has it."""
MAX_CACHED_VARIABLES: Final = 8
"""Coerced variables that are kept of an operation."""
_SMALL_TYPES: Final = frozenset({int, bool, type(None), type(Undefined)})
"""Types of variables that take next to no memory."""
_ABSENT: Final = object()
MAX_OPERATIONS: Final = 256
"""Operations that are kept with their plans."""
MAX_FIELDS: Final = 20_000
"""Fields that all of them plan together, of some two kilobytes each."""
TOO_DEEP: Final = "Selections are nested too deeply. Execution aborted."
EXACT: Final[Mapping[Callable[[Value], Value], type]] = {
    GraphQLString.coerce_output_value: str,
    GraphQLID.coerce_output_value: str,
    GraphQLBoolean.coerce_output_value: bool,
}
"""Types whose values are returned as they are, by what coerces them."""
_CONDITIONAL: Final = frozenset({"skip", "include"})
_INCREMENTAL: Final = frozenset({"defer", "stream"})

Resolver = Callable[..., Value]
Simplify = Callable[[GraphQLField], tuple[str | None, Resolver | None, Nested | None]]
"""Returns the attribute that a field's resolver does nothing but read, or a resolver that does
the same in less time, None for neither; and what does it for rows."""


class Operation:
    """An operation, planned when it is first executed for whatever its directives depend on."""

    def __init__(self, executor: "CompiledExecutor", template: Execution | None = None) -> None:
        """Take what is executed, and an executor of it to make others of."""
        self.schema: Final = executor.schema
        self.node: Final = executor.operation
        self.fragments: Final = executor.fragment_definitions
        self.simplify: Final = executor.simplify(executor.schema)
        nodes = selected([self.node, *self.fragments.values()])
        directives = [each for node in nodes for each in node.directives or ()]
        self.is_incremental: Final = any(each.name.value in _INCREMENTAL for each in directives)
        """Whether anything is to be delivered later than the rest."""
        self._conditions: Final = {
            argument.value.name.value
            for directive in directives
            if directive.name.value in _CONDITIONAL
            for argument in directive.arguments or ()
            if isinstance(argument.value, VariableNode)
        }
        """The variables that plans depend on."""
        # What a fragment's own variables are may depend on all of the operation's.
        self._is_kept: Final = not any(f.variable_signatures for f in executor.fragments.values())
        self.size = 0
        """The fields that were planned so far, and are kept."""
        if template is not None:
            template.variable_values = VariableValues({}, {})  # a password is not kept
            self._template = template
        self._roots: dict[Hashable, Sequence[Value]] = {}
        self._variables: dict[Hashable, Variables] = {}

    def execute(
        self, variables: dict[str, Value], context: object
    ) -> ExecutionResult | Coroutine[Any, Any, ExecutionResult]:
        """Return the result of the operation, or what is to be awaited for it."""
        coerced = self._coerced(variables)
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
        return self._template.copied(coerced, context).run(self)

    def fields(self, execution: Execution) -> Sequence[Value]:
        """Return the root's fields, as written if no resolver is the caller's.

        Raises GraphQLError.
        """
        manager = execution.middleware_manager
        as_written = execution.field_resolver is default_field_resolver and not (
            manager and manager.middlewares
        )
        key: Hashable = as_written
        if self._conditions:
            coerced = execution.variable_values.coerced
            key = (as_written, *[coerced.get(name, _ABSENT) for name in self._conditions])
        kept = self._is_kept
        try:
            fields = self._roots.get(key)
        except TypeError:  # no condition is a list, but the document may not be valid
            kept, fields = False, None
        if fields is None:
            if not kept or len(self._roots) >= MAX_COMBINATIONS:
                self._roots.clear()
                self.size = 0
            fields = self._plan(execution, as_written=as_written)
            if kept:
                self._roots[key] = fields
        return fields

    def _plan(self, execution: Execution, *, as_written: bool) -> Sequence[Value]:
        root = self.schema.get_root_type(self.node.operation)
        if root is None:
            message = f"Schema is not configured to execute {self.node.operation.value} operation."
            raise GraphQLError(message, self.node)
        details = SimpleNamespace(node=self.node, defer_usage=None, fragment_variable_values=None)
        with suppress(RecursionError):  # as an error's context it would keep all of its frames
            return Plan(self, as_written=as_written).selection(root, [details]).fields(execution)
        raise GraphQLError(TOO_DEEP, self.node)

    def _coerced(self, variables: dict[str, Value]) -> Variables | list[GraphQLError]:
        """Return the variables coerced, or what is wrong with them (section 6.1.2).

        The same small values are coerced once. Without that a page of 50 takes 1.06 to 1.10 times
        as long.
        """
        executor = self._template
        definitions = executor.operation.variable_definitions or ()
        values = [variables.get(each.variable.name.value, Undefined) for each in definitions]
        types = list(map(type, values))
        key = (*values, *types) if _SMALL_TYPES.issuperset(types) else None  # for True is 1
        if key in self._variables:
            return self._variables[key]
        coerced = get_variable_values(
            executor.schema, definitions, variables, MAX_VARIABLE_ERRORS, executor.hide_suggestions
        )
        if isinstance(coerced, list):
            return coerced
        if key is None or not self._is_kept:
            return coerced, {}
        if len(self._variables) >= MAX_CACHED_VARIABLES:
            self._variables.clear()
        self._variables[key] = coerced, {}
        return self._variables[key]


class Plan:
    """How an operation is executed with one combination of its conditions.

    What is selected of an object is planned when the first one is there, and once for each type
    and the nodes that select it: no document makes a plan that is larger than its data.
    """

    def __init__(self, operation: Operation, *, as_written: bool) -> None:
        self._operation = operation
        self._as_written = as_written
        self._selections: dict[Hashable, Selection] = {}

    def fields(self, selection: Selection, execution: Execution) -> list[Field]:
        """Return the fields that are selected of an object type. Raises GraphQLError."""
        collector = IncrementalExecutor(  # its own, for it keeps what it collects
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
        """Plan a field; None if the type has none of this name."""
        definition = self._operation.schema.get_field(parent, details[0].node.name.value)
        if definition is None:
            return None
        field = Field(name, details, definition, parent)
        self._complete(field, field)
        field.run = field.call
        if self._as_written:
            self._simplify(field)
        return field

    def _simplify(self, field: Field) -> None:
        """Leave out the resolver of what is nothing but an attribute."""
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
        """Return what some nodes select of a type."""
        nodes = [(id(each.node), id(each.fragment_variable_values)) for each in details]
        key = (kind.name, *nodes)
        if key not in self._selections:
            self._selections[key] = Selection(self.fields, kind, details)
        return self._selections[key]


def abstract(
    kind: GraphQLAbstractType, field: Field, objects_of: Callable[[GraphQLObjectType], Complete]
) -> Complete:
    """Return what completes values of an interface or a union, once their types are known."""
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
            return Later(complete_later(execution, name, choose, value, here))
        return choose(name)(execution, value, path)

    return complete


class CompiledExecutor(Execution):
    """Executes operations as graphql-core does, several times as fast.

    It is an `executor_class` of graphql-core's `execute`, and Strawberry's
    `execution_context_class`. graphql-core itself runs what has execution hooks or a predicate of
    the caller's for what is awaitable, subscriptions, and what is delivered incrementally. A
    schema and a document must not be changed once they are executed.
    """

    awaitables: ClassVar[frozenset[Value]] = frozenset({is_awaitable, assume_not_awaitable})
    """Predicates that tell what is awaitable by its type."""

    of_strawberry: ClassVar["type[CompiledExecutor] | None"] = None
    """The class that is built where Strawberry executes."""

    @classmethod
    def simplify(cls, _schema: GraphQLSchema) -> Simplify:
        """Return what tells how a field does without its resolver: here each is called."""
        return lambda _definition: (None, None, None)

    @classmethod
    def build(cls, *args: Value, **options: Value) -> Value:
        """Build an executor, or return what is wrong with the request."""
        if cls is CompiledExecutor and cls.of_strawberry and "operation_extensions" in options:
            return cls.of_strawberry.build(*args, **options)
        return super().build(*args, **options)

    def execute_operation(self, serially: bool | None = None) -> Value:  # noqa: FBT001 — it is graphql-core's signature
        """Return the result of the operation, or what is to be awaited for it."""
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
"""The operations that were executed lately, with their plans; the others give way."""
_lock: Final = Lock()


def planned_fields() -> int:
    """Return the fields that all operations that are kept plan together."""
    return sum(each.size for each in operations.values())


def _operation(executor: CompiledExecutor) -> Operation:
    """Return an operation; it is known by its node and by those of its fragments."""
    key = (id(executor.operation), id(executor.schema), type(executor))
    with _lock:
        known = operations.get(key)
        if known and known.fragments == executor.fragment_definitions:
            operations.move_to_end(key)
            return known
        operation = operations[key] = Operation(executor)
        while len(operations) > MAX_OPERATIONS or planned_fields() > MAX_FIELDS:
            operations.popitem(last=False)
        return operation
