"""The compiled path: operations that are planned once, and executed without graphql-core.

A plan runs the very resolvers and permissions that graphql-core would run, and answers the same
to the byte. planning.py makes it; what that doesn't know, graphql-core executes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final, NamedTuple

import strawberry
from graphql import (
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLResolveInfoHelpers,
    GraphQLSchema,
    OperationDefinitionNode,
    ResponsePath,
    Undefined,
    VariableValues,
    get_argument_values,
    get_variable_values,
    is_non_null_type,
    located_error,
)
from strawberry.permission import BasePermission
from strawberry.types.field import StrawberryField

MAX_VARIABLE_ERRORS: Final = 50
"""Errors of variables that are answered, as graphql-core has it."""
MAX_CACHED_VARIABLES: Final = 8
"""Coerced variables that are kept of an operation."""
_SMALL_TYPES: Final = frozenset({int, bool, type(None), type(Undefined)})
"""Types of variables that take next to no memory."""
_PLAIN_TYPES: Final = frozenset({int, str, bool, type(None)})
"""Types of arguments that Strawberry hands on as they are."""

Value = Any
"""Whatever a resolver returns, and whatever JSON is made of it."""
Complete = Callable[["Execution", Value, ResponsePath], Value]
"""Returns the value at a path as the answer has it (GraphQL section 6.4.3)."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """An operation, and what it is executed by."""

    schema: GraphQLSchema
    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    hide_suggestions: bool
    """Whether errors may name nothing of the schema that wasn't sent."""


class Arguments(NamedTuple):
    """The arguments of a root field."""

    coerced: dict[str, Value]
    """As graphql-core coerces them, by GraphQL's names."""
    python: Mapping[str, Value] | None
    """As the resolver takes them; None where Strawberry makes something else of any."""


@dataclass(frozen=True, slots=True, eq=False)
class CoercedVariables:
    """Variables as their types have them, and the arguments made of them so far."""

    values: VariableValues
    arguments: dict[str, Arguments] = field(default_factory=dict)
    """By the root fields' names in the answer."""


class VariablesCache:
    """Coerces the variables of an operation, once for the same values.

    Without it a page of 50 takes 1.06 to 1.10 times as long.
    """

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._definitions = operation.node.variable_definitions or ()
        self._names = [each.variable.name.value for each in self._definitions]
        self._cache: dict[Hashable, CoercedVariables] = {}

    def coerce(self, variables: dict[str, Value]) -> CoercedVariables | list[GraphQLError]:
        """Return the variables coerced, or what is wrong with them (GraphQL section 6.1.2)."""
        values = [variables.get(name, Undefined) for name in self._names]
        types = list(map(type, values))
        if not _SMALL_TYPES.issuperset(types):
            return self._coerced(variables)
        key = (*values, *types)  # for True is 1
        if key in self._cache:
            return self._cache[key]
        coerced = self._coerced(variables)
        if isinstance(coerced, CoercedVariables):
            if len(self._cache) >= MAX_CACHED_VARIABLES:
                self._cache.clear()
            self._cache[key] = coerced
        return coerced

    def _coerced(self, variables: dict[str, Value]) -> CoercedVariables | list[GraphQLError]:
        values = get_variable_values(
            self._operation.schema,
            self._definitions,
            variables,
            max_errors=MAX_VARIABLE_ERRORS,
            hide_suggestions=self._operation.hide_suggestions,
        )
        return values if isinstance(values, list) else CoercedVariables(values)


@dataclass(slots=True, eq=False)
class Execution:
    """One execution of an operation: what it is given, and the errors so far."""

    operation: Operation
    context: object
    variables: CoercedVariables
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


@dataclass(frozen=True, slots=True)
class DirectResolver:
    """A resolver and its permissions, called without Strawberry's wrapping.

    Without it a page of 50 takes 1.15 times as long.
    """

    field: StrawberryField
    function: Callable[..., Awaitable[Value]]
    permissions: Sequence[BasePermission]
    python_names: Mapping[str, str]
    """Python's names of the arguments, by GraphQL's."""

    def arguments(self, coerced: Mapping[str, Value]) -> Mapping[str, Value] | None:
        """Return the arguments by Python's names; None if Strawberry converts any of them."""
        if not _PLAIN_TYPES.issuperset(map(type, coerced.values())):
            return None
        return {self.python_names[name]: value for name, value in coerced.items()}


@dataclass(slots=True, eq=False)
class RootField:
    """A field of the query's or the mutation's root type."""

    response_name: str
    nodes: list[FieldNode]
    definition: GraphQLField
    parent: GraphQLObjectType
    complete: Complete
    direct: DirectResolver | None
    """The resolver, where it can do without Strawberry's wrapping."""
    path: ResponsePath = field(init=False)

    def __post_init__(self) -> None:
        """Note where it stands in the answer."""
        self.path = ResponsePath(None, self.response_name, self.parent.name)

    def start(self, execution: Execution) -> Coroutine[Any, Any, Value]:
        """Coerce the arguments, and return what resolves and completes the field."""
        known = execution.variables.arguments
        arguments = known.get(self.response_name)
        if arguments is None:
            try:
                arguments = known[self.response_name] = self._arguments(execution)
            except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
                execution.fail(error, self.nodes, self.definition.type, self.path)
                return _null()
        return self._complete(execution, arguments)

    def _arguments(self, execution: Execution) -> Arguments:
        hidden = execution.operation.hide_suggestions
        values = execution.variables.values
        coerced = get_argument_values(self.definition, self.nodes[0], values, None, hidden)
        return Arguments(coerced, self.direct.arguments(coerced) if self.direct else None)

    async def _complete(self, execution: Execution, arguments: Arguments) -> Value:
        try:
            value = await self._resolve(execution, arguments)
            return self.complete(execution, value, self.path)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            return execution.fail(error, self.nodes, self.definition.type, self.path)

    async def _resolve(self, execution: Execution, arguments: Arguments) -> Value:
        """Return what the resolver returns, if its permissions agree.

        It goes through Strawberry where there is no direct way, and where a permission refuses
        without raising, which few do.
        """
        info, direct, named = self._info(execution), self.direct, arguments.python
        if direct is not None and named is not None:
            ours: strawberry.Info[Any, None] = strawberry.Info(info, direct.field)
            for permission in direct.permissions:
                answer: Value = permission.has_permission(None, ours, **named)
                if (await answer if isawaitable(answer) else answer) is not True:
                    break
            else:
                return await direct.function(None, ours, **named)
        assert self.definition.resolve is not None  # noqa: S101 — Strawberry gives each field one
        value = self.definition.resolve(None, info, **arguments.coerced)
        return await value if isawaitable(value) else value

    def _info(self, execution: Execution) -> GraphQLResolveInfo[object]:
        """Return what graphql-core would give the resolver."""
        operation = execution.operation
        return GraphQLResolveInfo(
            self.nodes[0].name.value,
            self.nodes,
            self.definition.type,
            self.parent,
            self.path,
            operation.schema,
            operation.fragments,
            None,
            operation.node,
            execution.variables.values,
            execution.context,
            isawaitable,  # type: ignore[arg-type]  # TypeIs, which guards no less
            None,
            _HELPERS,
        )


class Plan:
    """How one operation is executed."""

    def __init__(self, operation: Operation, fields: Sequence[RootField]) -> None:
        self._operation: Final = operation
        self._fields: Final = fields
        self._variables: Final = VariablesCache(operation)

    async def run(self, context: object, variables: dict[str, Value]) -> ExecutionResult:
        """Return the result of the operation (GraphQL section 6.2)."""
        coerced = self._variables.coerce(variables)
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
        execution = Execution(self._operation, context, coerced)
        data: dict[str, Value] | None
        try:
            values = await _gather([each.start(execution) for each in self._fields])
            names = [each.response_name for each in self._fields]
            data = dict(zip(names, values, strict=True))
        except GraphQLError as error:
            execution.errors.append(error)
            data = None
        return ExecutionResult(data, execution.errors or None)


async def _gather(awaitables: Sequence[Awaitable[Value]]) -> list[Value]:
    """Return the results of all, awaited side by side; one alone needs no task of its own.

    If one raises, the others are cancelled and awaited before it is raised again, so that
    nothing goes on that nobody waits for.
    """
    if len(awaitables) == 1:
        return [await awaitables[0]]
    futures = [asyncio.ensure_future(each) for each in awaitables]
    try:
        return await asyncio.gather(*futures)
    except Exception:
        for future in futures:
            future.cancel()
        await asyncio.gather(*futures, return_exceptions=True)
        raise


async def _null() -> None:
    """Return null."""


def _track(_values: Sequence[Value]) -> None:
    """Do nothing: nothing is abandoned here that would have to be settled."""


_HELPERS: Final = GraphQLResolveInfoHelpers(_gather, _track)
