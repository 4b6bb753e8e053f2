"""Planning: how a document's operations are executed, worked out once for each document."""

from collections.abc import Awaitable, Callable
from typing import Final, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationDefinitionNode,
    OperationType,
    ResponsePath,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from strawberry.permission import PermissionExtension
from strawberry.types.field import StrawberryField

from gql_app.lib.engine.compiled import Complete, DirectResolver, Plan, RootField, Value
from gql_app.lib.engine.completion import AttributeField, leaf, list_of, non_null, object_of
from gql_app.lib.engine.complexity import Fragments
from gql_app.lib.engine.schema import Schema
from gql_app.lib.engine.selection import collect_fields

TYPENAME: Final = "__typename"


class Unsupported(Exception):
    """Something that is left to graphql-core."""


def compile_plan(
    schema: Schema,
    node: OperationDefinitionNode,
    fragments: dict[str, FragmentDefinitionNode],
    *,
    hide_suggestions: bool,
) -> Plan | None:
    """Return the plan of an operation; None if graphql-core is to execute it.

    The operation is of a valid document without directives. There is no plan for several fields
    of a mutation, for abstract types, and for resolvers below the root.
    """
    try:
        fields = _Planner(schema, fragments).root_fields(node)
    except Unsupported:
        return None
    return Plan(schema.core, node, fragments, hide_suggestions, fields)


class _Planner:
    """Plans the fields of one operation."""

    def __init__(self, schema: Schema, fragments: Fragments) -> None:
        self._schema = schema
        self._fragments = fragments

    def root_fields(self, node: OperationDefinitionNode) -> list[RootField]:
        """Return the fields at the root. Raises Unsupported."""
        parent = self._schema.core.get_root_type(node.operation)
        fields = collect_fields([node], self._fragments)
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
        definition, field = self._definition(parent, nodes, is_basic=False)
        complete = self._complete(definition.type, parent, nodes)
        path = ResponsePath(None, response_name, parent.name)
        direct = _direct_resolver(field, definition) if field else None
        return RootField(response_name, nodes, definition, parent, complete, path, direct)

    def _attribute_field(
        self, parent: GraphQLObjectType, response_name: str, nodes: list[FieldNode]
    ) -> AttributeField:
        definition, field = self._definition(parent, nodes, is_basic=True)
        complete = self._complete(definition.type, parent, nodes)
        attribute = field.python_name if field else None
        return AttributeField(response_name, nodes, definition, parent, complete, attribute)

    def _definition(
        self, parent: GraphQLObjectType, nodes: list[FieldNode], *, is_basic: bool
    ) -> tuple[GraphQLField, StrawberryField | None]:
        """Return graphql-core's definition of a field, and Strawberry's but for __typename."""
        name = nodes[0].name.value
        definition = self._schema.core.get_field(parent, name)
        field = self._schema.field(parent.name, name)
        is_planned = field.is_basic_field == is_basic if field else name == TYPENAME
        if definition is None or not is_planned:
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
        fields = collect_fields(nodes, self._fragments)
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
