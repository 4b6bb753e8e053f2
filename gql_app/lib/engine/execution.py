"""Execution: an operation is admitted, run within its time, and its errors are told."""

from inspect import isawaitable
from typing import Any, NamedTuple

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    execute,
)
from strawberry.execution.is_awaitable import optimized_is_awaitable

from gql_app.lib.engine.compiled import Plan, compiled
from gql_app.lib.engine.document_validator import Admission, NotAdmitted
from gql_app.lib.engine.documents import Document
from gql_app.lib.engine.limits import Limits
from gql_app.lib.engine.timeouts import Patience
from gql_app.schema import errors
from gql_app.schema.context import Context


class Asked(NamedTuple):
    """What a well-formed request asks for."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]  # whatever JSON holds


class Execution:
    """Executes what is asked of a schema."""

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits,
        *,
        introspection: bool,
        timeout: float,
        compiled: bool = True,
    ) -> None:
        self._schema = schema
        self._compiled = compiled
        self._hide_suggestions = not introspection
        self._patience = Patience(timeout)
        self.admission = Admission(schema, limits, introspection=introspection)

    async def run(self, asked: Asked, context: Context) -> ExecutionResult:
        """Answer what is asked; whatever is wrong with it is among the errors."""
        try:
            document, operation = self.admission.admit(
                asked.query, asked.operation_name, asked.variables
            )
        except NotAdmitted as why:
            return ExecutionResult(None, errors.before_execution(why.errors, context.request_id))
        context.operation = operation.name.value if operation.name else ""
        context.kind = operation.operation.value
        context.memo = document.memo
        try:
            async with self._patience:
                result = await self._execute(document, operation, asked, context)
        except TimeoutError:
            late = errors.late(self._patience.seconds, may_be_done=context.writes)
            return ExecutionResult(None, [late])
        except Exception as why:  # noqa: BLE001 — what graphql-core didn't expect is an answer, too
            error = (
                why if isinstance(why, GraphQLError) else GraphQLError(str(why), original_error=why)
            )
            return ExecutionResult(None, errors.before_execution([error], context.request_id))
        if result.errors:
            result.errors = errors.in_execution(result.errors, context.request_id)
        return result

    async def _execute(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        asked: Asked,
        context: Context,
    ) -> ExecutionResult:
        if self._compiled and (plan := self._plan(document, operation)):
            return await plan.run(context, asked.variables)
        result = execute(
            self._schema,
            document.node,
            context_value=context,
            variable_values=asked.variables,
            operation_name=asked.operation_name,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # a guard but in name
            hide_suggestions=self._hide_suggestions,
        )
        return await result if isawaitable(result) else result

    def _plan(self, document: Document, operation: OperationDefinitionNode) -> Plan | None:
        """Plan an operation when it is first executed."""
        key = (Plan, id(operation))
        if key not in document.memo:
            document.memo[key] = compiled(
                self._schema, document, operation, hide_suggestions=self._hide_suggestions
            )
        plan = document.memo[key]
        return plan if isinstance(plan, Plan) else None
