"""Engine: executes the operations that clients send, with a time-out."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from graphql import (
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    execute,
    is_non_null_type,
)

from gql_app.lib.engine.complexity import ListSizes
from gql_app.lib.engine.documents import (
    DocumentValidator,
    ExecutionContext,
    InvalidDocument,
    fields_of,
)
from gql_app.lib.engine.error_sources import in_place_of
from gql_app.lib.engine.execution import Operation
from gql_app.lib.engine.limits import Limits
from gql_app.lib.engine.plans import plan_of
from gql_app.lib.engine.schema import Schema, StrawberryExecutor, simplified
from gql_app.lib.engine.waiting import FAILURES, CancellationExecutor, fail_if_cancelled
from gql_app.lib.faults import fault_of

C = TypeVar("C", bound=ExecutionContext)
C_contra = TypeVar("C_contra", bound=ExecutionContext, contravariant=True)
Write: TypeAlias = Callable[[object], object]
"""Writes a value as JSON. Raises TypeError if that can't be done."""


class GraphQLRequest(NamedTuple):
    """A well-formed request (GraphQL over HTTP, section 5)."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]
    """A JSON value."""
    queries_only: bool = False
    """Whether nothing but a query may be executed."""


class NotAQuery(Exception):
    """The request may execute only a query, and the operation is not one."""


class OperationTimeout(Exception):
    """An operation took too long, and was cancelled."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"It took longer than {seconds:g} seconds")
        self.seconds: Final = seconds


class MapErrors(Protocol[C_contra]):
    """Maps errors to what a client may read."""

    def __call__(
        self, errors: Sequence[GraphQLError], context: C_contra, *, executed: bool
    ) -> list[GraphQLError]:
        """Return the errors to answer, at least one.

        `executed` is whether execution began. An operation that timed out has one error, whose
        original error is an OperationTimeout.
        """


class Engine(Generic[C]):
    """Validates operations and executes them, with a time-out."""

    def __init__(
        self,
        schema: Schema,
        limits: Limits,
        list_sizes: ListSizes,
        map_errors: MapErrors[C],
        *,
        introspection: bool = True,
        timeout: float,
        compiled: bool = True,
    ) -> None:
        """Make an engine for a schema; each operation has `timeout` seconds.

        Without `introspection` it is refused, and no error suggests names of the schema. Without
        `compiled` graphql-core executes everything, with the same results.
        """
        self._schema = schema
        self._map_errors = map_errors
        self._introspection = introspection
        self._timeout = timeout
        self._compiled = compiled
        self.validator: Final = DocumentValidator(
            schema.core, limits, list_sizes, introspection=introspection
        )

    async def execute(self, request: GraphQLRequest, context: C) -> ExecutionResult:
        """Return the result of a request; of an invalid one it has the errors.

        Raises NotAQuery if the request is for queries only, and the operation is another.
        """
        try:
            document, operation = self.validator.validate(
                request.query, request.operation_name, request.variables
            )
        except InvalidDocument as invalid:
            return ExecutionResult(None, self._map_errors(invalid.errors, context, executed=False))
        if request.queries_only and operation.operation is not OperationType.QUERY:
            raise NotAQuery
        context.operation = operation.name.value if operation.name else ""
        context.kind = operation.operation.value
        context.document = document
        try:
            async with asyncio.timeout(self._timeout) as timeout:
                result = self._run(operation, request, context)
                if not isinstance(result, ExecutionResult):
                    result = await result
        except FAILURES as error:  # unexpected errors are answered, too
            late = timeout.expired() and isinstance(error, TimeoutError)
            fault = error if isinstance(error, Exception) else fault_of(error)
            cause = OperationTimeout(self._timeout) if late else fault
            if not isinstance(cause, GraphQLError):
                cause = GraphQLError(str(cause), original_error=cause)
            return ExecutionResult(None, self._map_errors([cause], context, executed=True))
        finally:
            self.validator.count_plans(request.query, document)
        if result.errors:
            result.errors = self._map_errors(result.errors, context, executed=True)
        return result

    def leave_out(self, context: C, result: ExecutionResult, write: Write) -> None:
        """Replace what of a result can't be written as JSON by an error: root fields and errors."""
        document, schema = context.document, self._schema.core
        operation: Any = document.operation(context.operation or None)
        fields = {(e.alias or e.name).value: e for e in fields_of([operation], document.fragments)}
        root: Any = schema.get_root_type(operation.operation)
        errors, found = [], []
        for error in result.errors or ():
            why = _why_unwritable(error.formatted, write)
            if why is None:
                errors.append(error)
            else:
                found.append(in_place_of(error, str(why), original_error=why))
        for key, value in (data := result.data or {}).items():
            why = _why_unwritable(value, write)
            if why is not None:
                data[key], node = None, fields[key]
                found.append(GraphQLError(str(why), node, path=[key], original_error=why))
                field: Any = schema.get_field(root, node.name.value)
                if is_non_null_type(field.type):
                    result.data = None
        result.errors = [
            *errors,
            *(self._map_errors(found, context, executed=True) if found else ()),
        ]

    def _run(
        self, operation: OperationDefinitionNode, request: GraphQLRequest, context: C
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        document, hidden = context.document, not self._introspection
        if self._compiled:
            plans, key = document.plans, id(operation)
            plan = plans.get(key)
            if plan is None:
                executor: Any = StrawberryExecutor.build(
                    self._schema.core,
                    document.node,
                    raw_variable_values=request.variables,
                    operation_name=request.operation_name,
                    hide_suggestions=hidden,
                )
                if isinstance(executor, list):
                    return ExecutionResult(None, executor)
                simplify = partial(simplified, self._schema)
                plan = plans[key] = Operation(executor, partial(plan_of, simplify))
            return plan.execute(request.variables, context)
        return execute(
            self._schema.core,
            document.node,
            context_value=context,
            variable_values=request.variables,
            operation_name=request.operation_name,
            middleware=(fail_if_cancelled,),
            executor_class=CancellationExecutor,
            hide_suggestions=hidden,
        )


def _why_unwritable(value: object, write: Write) -> TypeError | None:
    """Return why a value can't be written as JSON, None if it can."""
    try:
        write(value)
    except TypeError as why:
        return why
    return None
