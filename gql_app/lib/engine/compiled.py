"""The compiled path: how an answer is put together, planned once for each document.

It runs the very resolvers and permissions that graphql-core would run, and answers the same to
the byte. Lists that come straight from the database become JSON without an object or a call for
each of their rows. What it doesn't know, such as resolvers below the root, directives and
abstract types, graphql-core executes.
"""

from typing import Final

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
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
from strawberry.types.field import StrawberryField

from gql_app.lib.engine.completion import (
    AttributeField,
    Complete,
    leaf,
    list_of,
    non_null,
    object_of,
    typename,
)
from gql_app.lib.engine.concurrency import gather
from gql_app.lib.engine.execution import Execution, Operation, Value
from gql_app.lib.engine.field_collection import collect_fields
from gql_app.lib.engine.resolvers import DirectResolver, Resolver
from gql_app.lib.engine.root_fields import RootField
from gql_app.lib.engine.variables import VariablesCache

TYPENAME: Final = "__typename"


class Unsupported(Exception):
    """Something that is left to graphql-core."""


class Plan:
    """How one operation is executed."""

    def __init__(self, operation: Operation) -> None:
        """Plan an operation of a valid document without directives. Raises Unsupported."""
        self._operation: Final = operation
        node, core = operation.node, operation.schema.core
        root = core.get_root_type(node.operation)
        if root is None:
            raise Unsupported
        fields = collect_fields([node.selection_set], operation.fragments)
        self._is_alone: Final = len(fields) == 1
        if node.operation is OperationType.MUTATION and not self._is_alone:
            raise Unsupported  # they would have to be run one after the other
        self._variables: Final = VariablesCache(operation)
        self._fields: Final = [self._root_field(root, *each) for each in fields.items()]

    async def run(self, context: object, variables: dict[str, Value]) -> ExecutionResult:
        """Return the result of the operation (GraphQL section 6.2)."""
        coerced = self._variables.coerce(variables)
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
        execution = Execution(self._operation, context, coerced.values)
        data: dict[str, Value] | None
        try:
            values = await gather(*[each.start(execution, coerced) for each in self._fields])
            names = [each.response_name for each in self._fields]
            data = dict(zip(names, values, strict=True))
        except GraphQLError as error:
            execution.errors.append(error)
            data = None
        return ExecutionResult(data, execution.errors or None)

    def _root_field(
        self, parent: GraphQLObjectType, response_name: str, nodes: list[FieldNode]
    ) -> RootField:
        definition, field = self._definition(parent, nodes)
        if definition.args and is_non_null_type(definition.type) and not self._is_alone:
            raise Unsupported  # its arguments, if they are wrong, void what the others begin
        if field is None:
            return RootField(response_name, nodes, definition, parent, typename(parent.name))
        if field.is_basic_field:
            raise Unsupported
        complete = self._complete(definition.type, parent, nodes)
        resolver = Resolver(definition, DirectResolver.of(field, definition))
        return RootField(response_name, nodes, definition, parent, complete, resolver)

    def _attribute_field(
        self, parent: GraphQLObjectType, response_name: str, nodes: list[FieldNode]
    ) -> AttributeField:
        definition, field = self._definition(parent, nodes)
        if field is None:
            complete = typename(parent.name)
            return AttributeField(response_name, nodes, definition, parent, complete, None)
        if not field.is_basic_field:
            raise Unsupported
        complete = self._complete(definition.type, parent, nodes)
        return AttributeField(response_name, nodes, definition, parent, complete, field.python_name)

    def _definition(
        self, parent: GraphQLObjectType, nodes: list[FieldNode]
    ) -> tuple[GraphQLField, StrawberryField | None]:
        """Return graphql-core's definition of a field, and Strawberry's but for __typename."""
        name = nodes[0].name.value
        definition = self._operation.schema.core.get_field(parent, name)
        field = self._operation.schema.field(parent.name, name)
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


def compile_plan(operation: Operation) -> Plan | None:
    """Return the plan of an operation, None if graphql-core is to execute it."""
    try:
        return Plan(operation)
    except Unsupported:
        return None
