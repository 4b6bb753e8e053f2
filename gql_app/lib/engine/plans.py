"""Plans: how an operation's selections are executed, planned once for each type and kept."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Final

from graphql import (
    GraphQLAbstractType,
    GraphQLBoolean,
    GraphQLError,
    GraphQLField,
    GraphQLID,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    TypeNameMetaFieldDef,
    default_field_resolver,
    default_type_resolver,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_object_type,
)
from graphql.execution.incremental import IncrementalExecutor

from gql_app.lib.engine.execution import (
    Complete,
    Completion,
    Execution,
    Path,
    Value,
    complete_later,
    real_path,
)
from gql_app.lib.engine.fields import Field, Lists, Position, Resolver, Selection, leaf, objects
from gql_app.lib.engine.rows import Nested

TOO_DEEP: Final = "Selections are nested too deeply. Execution aborted."
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

    def __init__(self, schema: GraphQLSchema, simplify: Simplify) -> None:
        self._schema = schema
        self._simplified = simplify
        self._selections: dict[Hashable, Selection] = {}
        self.root: Sequence[Field] = ()
        self.planned = 0
        """The number of fields that are planned so far."""

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
        self.planned += len(planned)
        return [field for field in planned if field]

    def _field(self, parent: GraphQLObjectType, name: str, details: Value) -> Field | None:
        """Return a planned field, None if the type has none of this name."""
        definition = self._schema.get_field(parent, details[0].node.name.value)
        if definition is None:
            return None
        field = Field(name, details, definition, parent)
        self._complete(field, field)
        field.run = field.call
        self._simplify(field)
        return field

    def _simplify(self, field: Field) -> None:
        """Replace the resolver of a field that only reads an attribute."""
        definition = field.definition
        if definition is TypeNameMetaFieldDef:
            field.run = field.constant
        elif definition.args or field.nodes[0].arguments:
            field.resolve = self._simplified(definition)[1]
        else:
            attribute, field.resolve, nested = self._simplified(definition)
            field.nested = nested if field.nullable and field.selection else None
            if attribute is not None:
                field.attribute, field.run = attribute, field.read

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
        key = (kind.name, *[id(each.node) for each in details])
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
        found = execution.ensure_valid_runtime_type(name, kind, [], info, value)
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


def plan_of(simplify: Simplify, execution: Execution) -> Plan:
    """Return a plan of an operation, with the fields of its root. Raises GraphQLError."""
    schema, node = execution.schema, execution.operation
    root = schema.get_root_type(node.operation)
    if root is None:
        message = f"Schema is not configured to execute {node.operation.value} operation."
        raise GraphQLError(message, node)
    details = SimpleNamespace(node=node, defer_usage=None, fragment_variable_values=None)
    plan = Plan(schema, simplify)
    with suppress(RecursionError):  # as an error's context it would keep its frames alive
        plan.root = plan.selection(root, [details]).fields(execution)
        return plan
    raise GraphQLError(TOO_DEEP, node)
