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
"""A value that a resolver returns, or JSON that is made of it."""
Complete = Callable[["Execution", Value, ResponsePath], Value]
"""Returns the value at a path as the answer has it (GraphQL section 6.4.3)."""


class Arguments(NamedTuple):
    """The arguments of a root field."""

    coerced: dict[str, Value]
    """As graphql-core coerces them, by GraphQL's names."""
    python: Mapping[str, Value] | None
    """As the resolver takes them; None where Strawberry makes something else of any."""


Variables = tuple[VariableValues, dict[str, Arguments]]
"""Variables as their types have them; of each root field by its name in the answer, the arguments
made of them so far."""


@dataclass(slots=True, eq=False)
class Execution:
    """One execution of an operation: what it is given, and the errors so far."""

    plan: "Plan"
    context: object
    variables: Variables
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
class SelectedField:
    """A field as an operation selects it of one type."""

    response_name: str
    nodes: list[FieldNode]
    definition: GraphQLField
    parent: GraphQLObjectType
    complete: Complete


@dataclass(slots=True, eq=False)
class RootField(SelectedField):
    """A field of the query's or the mutation's root type."""

    path: ResponsePath
    direct: DirectResolver | None
    """The resolver, where it can do without Strawberry's wrapping."""

    def start(self, execution: Execution) -> Coroutine[Any, Any, Value]:
        """Coerce the arguments, and return what resolves and completes the field."""
        values, known = execution.variables
        arguments = known.get(self.response_name)
        if arguments is None:
            hidden = execution.plan.hide_suggestions
            try:
                coerced = get_argument_values(self.definition, self.nodes[0], values, None, hidden)
            except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
                execution.fail(error, self.nodes, self.definition.type, self.path)
                return _null()
            python = self.direct.arguments(coerced) if self.direct else None
            arguments = known[self.response_name] = Arguments(coerced, python)
        return self._complete(execution, arguments)

    async def _complete(self, execution: Execution, arguments: Arguments) -> Value:
        """Resolve the field if its permissions agree, and complete the value.

        It goes through Strawberry where there is no direct way, and where a permission refuses
        without raising, which few do.
        """
        info, direct, named = self._info(execution), self.direct, arguments.python
        try:
            if direct is not None and named is not None:
                ours: strawberry.Info[Any, None] = strawberry.Info(info, direct.field)
                for permission in direct.permissions:
                    answer: Value = permission.has_permission(None, ours, **named)
                    if (await answer if isawaitable(answer) else answer) is not True:
                        break
                else:
                    value = await direct.function(None, ours, **named)
                    return self.complete(execution, value, self.path)
            assert self.definition.resolve is not None  # noqa: S101 — Strawberry gives each field one
            value = self.definition.resolve(None, info, **arguments.coerced)
            value = await value if isawaitable(value) else value
            return self.complete(execution, value, self.path)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            return execution.fail(error, self.nodes, self.definition.type, self.path)

    def _info(self, execution: Execution) -> GraphQLResolveInfo[object]:
        """Return what graphql-core would give the resolver."""
        plan = execution.plan
        return GraphQLResolveInfo(
            self.nodes[0].name.value,
            self.nodes,
            self.definition.type,
            self.parent,
            self.path,
            plan.schema,
            plan.fragments,
            None,
            plan.node,
            execution.variables[0],
            execution.context,
            isawaitable,  # type: ignore[arg-type]  # TypeIs, which guards no less
            None,
            _HELPERS,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """An operation, and how it is executed."""

    schema: GraphQLSchema
    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    hide_suggestions: bool
    """Whether errors may name nothing of the schema that wasn't sent."""
    fields: Sequence[RootField]
    _variables: dict[Hashable, Variables] = field(default_factory=dict)

    async def run(self, context: object, variables: dict[str, Value]) -> ExecutionResult:
        """Return the result of the operation (GraphQL section 6.2)."""
        coerced = self._coerce(variables)
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
        execution = Execution(self, context, coerced)
        data: dict[str, Value] | None
        try:
            values = await _gather([each.start(execution) for each in self.fields])
            names = [each.response_name for each in self.fields]
            data = dict(zip(names, values, strict=True))
        except GraphQLError as error:
            execution.errors.append(error)
            data = None
        return ExecutionResult(data, execution.errors or None)

    def _coerce(self, variables: dict[str, Value]) -> Variables | list[GraphQLError]:
        """Return the variables coerced, or what is wrong with them (GraphQL section 6.1.2).

        The same small values are coerced once. Without that a page of 50 takes 1.06 to 1.10 times
        as long.
        """
        definitions = self.node.variable_definitions or ()
        values = [variables.get(each.variable.name.value, Undefined) for each in definitions]
        types = list(map(type, values))
        key = (*values, *types) if _SMALL_TYPES.issuperset(types) else None  # for True is 1
        if key in self._variables:
            return self._variables[key]
        coerced = get_variable_values(
            self.schema, definitions, variables, MAX_VARIABLE_ERRORS, self.hide_suggestions
        )
        if isinstance(coerced, list):
            return coerced
        if key is None:
            return coerced, {}
        if len(self._variables) >= MAX_CACHED_VARIABLES:
            self._variables.clear()
        self._variables[key] = coerced, {}
        return self._variables[key]


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
