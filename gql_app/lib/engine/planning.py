"""Planning: how a document's operations are executed, worked out once for each document."""

from collections.abc import Awaitable, Callable
from typing import Final, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from strawberry.permission import PermissionExtension
from strawberry.types.field import StrawberryField

from gql_app.lib.engine.compiled import (
    Complete,
    DirectResolver,
    Operation,
    Plan,
    RootField,
    Value,
)
from gql_app.lib.engine.completion import AttributeField, leaf, list_of, non_null, object_of
from gql_app.lib.engine.field_collection import collect_fields
from gql_app.lib.engine.schema import Schema

TYPENAME: Final = "__typename"


class Unsupported(Exception):
    """Something that is left to graphql-core."""


def compile_plan(schema: Schema, operation: Operation) -> Plan | None:
    """Return the plan of an operation; None if graphql-core is to execute it.

    The operation is of a valid document without directives. There is no plan for several fields
    of a mutation, for abstract types, and for resolvers below the root.
    """
    try:
        return Plan(operation, _Planner(schema, operation).root_fields())
    except Unsupported:
        return None


class _Planner:
    """Plans the fields of one operation."""

    def __init__(self, schema: Schema, operation: Operation) -> None:
        self._schema = schema
        self._operation = operation

    def root_fields(self) -> list[RootField]:
        """Return the fields at the root. Raises Unsupported."""
        node = self._operation.node
        parent = self._schema.core.get_root_type(node.operation)
        fields = collect_fields([node.selection_set], self._operation.fragments)
        if parent is None or (node.operation is OperationType.MUTATION and len(fields) > 1):
            raise Unsupported  # several of a mutation would have to be run one after the other
        planned = [self._root_field(parent, *each) for each in fields.items()]
        if len(planned) > 1 and any(
            each.definition.args and is_non_null_type(each.definition.type) for each in planned
        ):
            raise Unsupported  # its arguments, if they are wrong, void what the others begin
        return planned

    def _root_field(
        self, parent: GraphQLObjectType, response_name: str, nodes: list[FieldNode]
    ) -> RootField:
        definition, field = self._definition(parent, nodes)
        if field is not None and field.is_basic_field:
            raise Unsupported
        complete = self._complete(definition.type, parent, nodes)
        direct = _direct_resolver(field, definition) if field else None
        return RootField(response_name, nodes, definition, parent, complete, direct)

    def _attribute_field(
        self, parent: GraphQLObjectType, response_name: str, nodes: list[FieldNode]
    ) -> AttributeField:
        definition, field = self._definition(parent, nodes)
        if field is not None and not field.is_basic_field:
            raise Unsupported
        complete = self._complete(definition.type, parent, nodes)
        attribute = field.python_name if field else None
        return AttributeField(response_name, nodes, definition, parent, complete, attribute)

    def _definition(
        self, parent: GraphQLObjectType, nodes: list[FieldNode]
    ) -> tuple[GraphQLField, StrawberryField | None]:
        """Return graphql-core's definition of a field, and Strawberry's but for __typename."""
        name = nodes[0].name.value
        definition = self._schema.core.get_field(parent, name)
        field = self._schema.field(parent.name, name)
        if definition is None or (field is None and name != TYPENAME):
            raise Unsupported
        return definition, field

    def _complete(
        self, kind: GraphQLOutputType, parent: GraphQLObjectType, nodes: list[FieldNode]
    ) -> Complete:
        """Plan how values of a type are completed, from the outside in."""
        if is_non_null_type(kind):
            inner = self._complete(kind.of_type, parent, nodes)
            return non_null(inner, f"{parent}.{nodes[0].name.value}")
        if is_list_type(kind):
            inner = self._complete(kind.of_type, parent, nodes)
            return list_of(inner, kind.of_type, nodes, self._below(get_named_type(kind), nodes))
        if is_leaf_type(kind):
            return leaf(kind)
        return object_of(self._below(get_named_type(kind), nodes))

    def _below(self, kind: GraphQLNamedType, nodes: list[FieldNode]) -> list[AttributeField]:
        """Plan the fields that are selected of an object."""
        if is_leaf_type(kind):
            return []
        if not is_object_type(kind):
            raise Unsupported
        sets: list[SelectionSetNode] = [n.selection_set for n in nodes if n.selection_set]
        fields = collect_fields(sets, self._operation.fragments)
        return [self._attribute_field(kind, *each) for each in fields.items()]


def _direct_resolver(field: StrawberryField, definition: GraphQLField) -> DirectResolver | None:
    """Return a field's resolver; None if Strawberry does more than ask its permissions."""
    extensions, resolver = field.extensions, field.base_resolver
    if (
        not all(type(e) is PermissionExtension and not e.fail_silently for e in extensions)
        or resolver is None
        or not (resolver.is_async and resolver.self_parameter and resolver.info_parameter)
        or resolver.parent_parameter
        or resolver.root_parameter
    ):
        return None
    names = [str(each.python_name) for each in field.arguments]
    permissions = [p for e in extensions for p in e.permissions]  # type: ignore[attr-defined]
    function = cast("Callable[..., Awaitable[Value]]", resolver.wrapped_func)
    return DirectResolver(
        field, function, permissions, dict(zip(definition.args, names, strict=True))
    )
