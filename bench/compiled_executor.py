"""The engine's executor in place of graphql-core's, to compare their answers and their speed."""

from collections.abc import Hashable, Iterable
from functools import partial
from typing import Any, Final

import strawberry
from graphql import OperationType, VariableValues, default_field_resolver
from graphql.execution.execute import assume_not_awaitable
from graphql.execution.incremental import IncrementalExecutor
from graphql.pyutils import is_awaitable
from strawberry.execution import optimized_is_awaitable

from gql_app.lib.engine.complexity import selected
from gql_app.lib.engine.execution import Execution, Operation
from gql_app.lib.engine.plans import Simplify, plan_of
from gql_app.lib.engine.schema import StrawberryExecutor, simplified

MAX_OPERATIONS: Final = 256
"""The most operations that are kept with their plans."""
KNOWN: Final = (is_awaitable, assume_not_awaitable, optimized_is_awaitable)
"""The `is_awaitable` functions that decide by a value's type."""
operations: Final[dict[Hashable, tuple[Execution, Operation | None]]] = {}
"""The operations, by the ids of their nodes, which live as long: an executor of each keeps them.

None for one that graphql-core runs.
"""


class CompiledExecutor(Execution):
    """An `executor_class` of graphql-core's `execute`, and Strawberry's `execution_context_class`.

    graphql-core itself runs what the engine is never given: subscriptions, `@defer` and `@stream`,
    abort signals, fragments with arguments, and resolvers, hooks or an `is_awaitable` of the
    caller.
    """

    compiled = False
    """Whether a plan is run, and not graphql-core's own algorithm."""

    @classmethod
    def build(cls, *args: Any, **options: Any) -> Any:  # noqa: ANN401 — graphql-core's
        """Return a new executor, or the errors of the request."""
        if cls is CompiledExecutor and "operation_extensions" in options:
            return CompiledStrawberryExecutor.build(*args, **options)
        return super().build(*args, **options)

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: ANN401, FBT001 — graphql-core's
        """Return the operation's result, or an awaitable of it."""
        operation = None if serially is not None or self._is_changed() else _operation(self)
        if operation is None:
            return super().execute_operation(serially)
        copy = self.copied((self.variable_values, {}), self.context_value)
        copy.compiled = True
        return copy.run(operation.fields)

    def complete_value(self, *given: Any) -> Any:  # noqa: ANN401 — graphql-core's
        """Return a completed value, or an awaitable of it."""
        if self.compiled:
            return super().complete_value(*given)
        return IncrementalExecutor.complete_value(self, *given)

    def _is_changed(self) -> bool:
        """Return whether the caller changes how it is executed."""
        manager = self.middleware_manager
        return bool(
            self.abort_signal is not None
            or (manager and manager.middlewares)
            or self.field_resolver is not default_field_resolver
            or self.hooks is not None
            or not any(self.is_awaitable is each for each in KNOWN)
        )


class CompiledStrawberryExecutor(CompiledExecutor, StrawberryExecutor):
    """The same for Strawberry's schemas."""


def _operation(executor: CompiledExecutor) -> Operation | None:
    """Return an executor's operation, None if graphql-core runs it."""
    nodes = (executor.operation, *executor.fragment_definitions.values())
    key = (id(executor.schema), type(executor), *map(id, nodes))
    if key not in operations:
        if len(operations) >= MAX_OPERATIONS:
            operations.clear()
        template = executor.copied((VariableValues({}, {}), {}), None)
        plan = partial(plan_of, _simplify(executor))
        known = not _is_unknown(executor, nodes)
        operations[key] = template, Operation(template, plan) if known else None
    return operations[key][1]


def _simplify(executor: CompiledExecutor) -> Simplify:
    for each in executor.schema.extensions.values():
        if isinstance(each, strawberry.Schema):
            return partial(simplified, each)
    return lambda _: (None, None, None)


def _is_unknown(executor: CompiledExecutor, nodes: Iterable[Any]) -> bool:
    """Return whether an operation has what the engine does not know."""
    directives = [each for node in selected(nodes) for each in node.directives or ()]
    return (
        executor.operation.operation is OperationType.SUBSCRIPTION
        or any(each.name.value in {"defer", "stream"} for each in directives)
        or any(each.variable_signatures for each in executor.fragments.values())
    )
