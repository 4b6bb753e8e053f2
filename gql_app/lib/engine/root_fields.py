"""Root fields of the compiled path: their arguments are coerced, their resolvers called."""

from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLResolveInfoHelpers,
    ResponsePath,
    get_argument_values,
)

from gql_app.lib.engine.completion import Complete
from gql_app.lib.engine.concurrency import gather
from gql_app.lib.engine.execution import Execution, Value
from gql_app.lib.engine.resolvers import Resolver
from gql_app.lib.engine.variables import Arguments, CoercedVariables


@dataclass(slots=True, eq=False)
class RootField:
    """A field of the query's or the mutation's root type."""

    response_name: str
    nodes: list[FieldNode]
    definition: GraphQLField
    parent: GraphQLObjectType
    complete: Complete
    resolver: Resolver | None = None
    """None for __typename."""
    path: ResponsePath = field(init=False)

    def __post_init__(self) -> None:
        """Note where it stands in the answer."""
        self.path = ResponsePath(None, self.response_name, self.parent.name)

    def start(
        self, execution: Execution, variables: CoercedVariables
    ) -> Coroutine[Any, Any, Value]:
        """Coerce the arguments, and return what resolves and completes the field."""
        arguments = variables.arguments.get(self.response_name)
        if arguments is None:
            try:
                arguments = self._coerced(execution)
            except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
                execution.fail(error, self.nodes, self.definition.type, self.path)
                return _null()
            variables.arguments[self.response_name] = arguments
        return self._resolve(execution, arguments)

    def _coerced(self, execution: Execution) -> Arguments:
        hidden = execution.operation.hide_suggestions
        coerced = get_argument_values(
            self.definition, self.nodes[0], execution.variables, None, hidden
        )
        return self.resolver.arguments(coerced) if self.resolver else Arguments(coerced, None)

    async def _resolve(self, execution: Execution, arguments: Arguments) -> Value:
        try:
            value = None
            if self.resolver is not None:
                value = await self.resolver(self._info(execution), arguments)
            return self.complete(execution, value, self.path)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            return execution.fail(error, self.nodes, self.definition.type, self.path)

    def _info(self, execution: Execution) -> GraphQLResolveInfo[object]:
        """Return what graphql-core would give the resolver."""
        operation = execution.operation
        return GraphQLResolveInfo(
            self.nodes[0].name.value,
            self.nodes,
            self.definition.type,
            self.parent,
            self.path,
            operation.schema.core,
            operation.fragments,
            None,
            operation.node,
            execution.variables,
            execution.context,
            isawaitable,  # type: ignore[arg-type]  # TypeIs, which guards no less
            None,
            _HELPERS,
        )


async def _null() -> None:
    """Return null."""


async def _gather(values: Sequence[Awaitable[Value]]) -> list[Value]:
    return await gather(*values)


def _track(_values: Sequence[Value]) -> None:
    """Do nothing: nothing is abandoned here that would have to be settled."""


_HELPERS: Final = GraphQLResolveInfoHelpers(_gather, _track)
