"""One execution of an operation, as the compiled path runs it."""

from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLOutputType,
    OperationDefinitionNode,
    ResponsePath,
    VariableValues,
    is_non_null_type,
    located_error,
)

from gql_app.lib.engine.schema import Schema

Value = Any
"""Whatever a resolver returns, and whatever JSON is made of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """An operation, and what it is executed by."""

    schema: Schema
    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    hide_suggestions: bool
    """Whether errors may name nothing of the schema that wasn't sent."""


@dataclass(slots=True, eq=False)
class Execution:
    """One execution of an operation: what it is given, and the errors so far."""

    operation: Operation
    context: object
    variables: VariableValues
    errors: list[GraphQLError] = field(default_factory=list)

    def fail(
        self,
        error: Exception,
        nodes: list[FieldNode],
        kind: GraphQLOutputType,
        path: ResponsePath,
    ) -> None:
        """Add an error where its field may be null (GraphQL section 6.4.4).

        Raises it, located, where it may not: then it is the parent's.
        """
        located = located_error(error, nodes, path.as_list())
        if is_non_null_type(kind):
            raise located
        self.errors.append(located)
