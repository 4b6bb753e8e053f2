"""Engine: executes the operations that clients send, within a time."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Final, Generic, NamedTuple, Protocol, Self, TypeVar

from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType, execute

from gql_app.lib.engine.complexity import ListSizes
from gql_app.lib.engine.documents import DocumentValidator, ExecutionContext, InvalidDocument
from gql_app.lib.engine.execution import Operation
from gql_app.lib.engine.executor import Plan
from gql_app.lib.engine.limits import Limits
from gql_app.lib.engine.schema import Schema, StrawberryExecutor

C = TypeVar("C", bound=ExecutionContext)
C_contra = TypeVar("C_contra", bound=ExecutionContext, contravariant=True)


class GraphQLRequest(NamedTuple):
    """A well-formed request (GraphQL over HTTP, section 5)."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]
    """A JSON value."""
    queries_only: bool = False
    """Whether nothing but a query may be executed."""


class NotAQuery(Exception):
    """Only a query was to be executed, and the operation is none."""


class OperationTimeout(Exception):
    """An operation took too long, and was cancelled."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"It took longer than {seconds:g} seconds")
        self.seconds: Final = seconds


class Timeout:
    """Cancels what its task does within the block, if it takes longer than so many seconds.

    It is asyncio.timeout without being moved: with that one `me` takes 1.09 times as long, with
    this one 1.01 times as long as with none.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.expired = False
        """Whether the seconds went by before the block ended."""

    def __enter__(self) -> Self:
        """Begin to wait."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 — for mypy: nothing is awaited outside of one
        self._task = task
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Raise TimeoutError if the block was cancelled by this, and by nobody else."""
        self._timer.cancel()
        if self.expired and not self._task.uncancel() and kind is asyncio.CancelledError:
            raise TimeoutError

    def _expire(self) -> None:
        self.expired = True
        self._task.cancel()


class MapErrors(Protocol[C_contra]):
    """Makes of errors what a client may read of them."""

    def __call__(
        self, errors: Sequence[GraphQLError], context: C_contra, *, executed: bool
    ) -> list[GraphQLError]:
        """Return the errors to answer, at least one.

        `executed` tells whether the operation was begun. An operation that was cancelled has
        one error, whose original error is an OperationTimeout.
        """


class Engine(Generic[C]):
    """Validates operations and executes them, within a time."""

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

        Without `introspection` neither it nor any error tells what the schema has. Without
        `compiled` graphql-core executes everything, and answers the same.
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
        """Return the result of a request; whatever is wrong with it is among the errors.

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
            with Timeout(self._timeout) as timeout:
                result = self._begun(operation, request, context)
                if not isinstance(result, ExecutionResult):
                    result = await result
        except Exception as error:  # noqa: BLE001 — what graphql-core didn't expect is an answer, too
            late = timeout.expired and isinstance(error, TimeoutError)
            cause = OperationTimeout(self._timeout) if late else error
            if not isinstance(cause, GraphQLError):
                cause = GraphQLError(str(cause), original_error=cause)
            return ExecutionResult(None, self._map_errors([cause], context, executed=late))
        if result.errors:
            result.errors = self._map_errors(result.errors, context, executed=True)
        return result

    def _begun(
        self, operation: OperationDefinitionNode, request: GraphQLRequest, context: C
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        document, hidden = context.document, not self._introspection
        if self._compiled:
            plans, key = document.plans, id(operation)
            plan = plans.get(key)
            if plan is None:
                executor = StrawberryExecutor.build(
                    self._schema.core,
                    document.node,
                    raw_variable_values=request.variables,
                    operation_name=request.operation_name,
                    hide_suggestions=hidden,
                )
                if isinstance(executor, list):
                    return ExecutionResult(None, executor)
                plan = plans[key] = Operation(executor, Plan, executor)
            return plan.execute(request.variables, context)
        return execute(
            self._schema.core,
            document.node,
            context_value=context,
            variable_values=request.variables,
            operation_name=request.operation_name,
            hide_suggestions=hidden,
        )
