"""CompiledExecutor: graphql-core's executor, whose operations run compiled plans."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, ClassVar, Final

from graphql import (
    GraphQLSchema,
    OperationType,
)
from graphql.execution.execute import assume_not_awaitable
from graphql.execution.incremental import IncrementalExecutor
from graphql.pyutils import is_awaitable

from gql_app.lib.engine.execution import Execution, Value
from gql_app.lib.engine.planning import PlannedOperation, Simplify

MAX_OPERATIONS: Final = 256
"""Operations that are kept with their plans."""
MAX_FIELDS: Final = 20_000
"""Fields that all of them plan together, of some two kilobytes each."""
operations: Final[OrderedDict[tuple[int, int, type], PlannedOperation]] = OrderedDict()
"""The operations that were executed lately, with their plans; the others give way."""
_lock: Final = Lock()


class CompiledExecutor(IncrementalExecutor):
    """Executes operations as graphql-core does, several times as fast.

    It is an `executor_class` of graphql-core's `execute`, and Strawberry's
    `execution_context_class`. graphql-core itself runs what has execution hooks, an abort signal
    or a predicate of the caller's for what is awaitable, subscriptions, and what is delivered
    incrementally. A schema and a document must not be changed once they are executed.
    """

    awaitables: ClassVar[frozenset[Callable[[Any], bool]]] = frozenset(
        {is_awaitable, assume_not_awaitable}
    )
    """Predicates that tell what is awaitable by its type."""

    of_strawberry: ClassVar["type[CompiledExecutor] | None"] = None
    """The class that is built where Strawberry executes."""

    @classmethod
    def simplify(cls, _schema: GraphQLSchema) -> Simplify:
        """Return what tells how a field does without its resolver: here each is called."""
        return lambda _definition: (None, None)

    @classmethod
    def build(cls, *args: Value, **options: Value) -> Value:
        """Build an executor, or return what is wrong with the request."""
        if cls is CompiledExecutor and cls.of_strawberry and "operation_extensions" in options:
            return cls.of_strawberry.build(*args, **options)
        return super().build(*args, **options)

    def execute_operation(self, serially: bool | None = None) -> Value:  # noqa: FBT001 — it is graphql-core's signature
        """Return the result of the operation, or what is to be awaited for it."""
        operation = self._compiled()
        if operation is None:
            return super().execute_operation(serially)
        if serially is None:
            serially = self.operation.operation is OperationType.MUTATION
        return operation.run(_Execution(operation, self), serially=serially)

    def _compiled(self) -> PlannedOperation | None:
        """Return the operation; None if something asks for graphql-core's own execution."""
        if (
            self.hooks is not None
            or self.abort_signal is not None
            or not any(self.is_awaitable is each for each in self.awaitables)
            or self.operation.operation is OperationType.SUBSCRIPTION
            or any(each.variable_signatures for each in self.fragments.values())
        ):
            return None
        operation = _operation(self)
        return None if operation.is_incremental else operation


class _Execution(Execution):
    """An execution that is given what an executor is."""

    def __init__(self, operation: PlannedOperation, executor: CompiledExecutor) -> None:
        super().__init__(
            operation,
            (executor.variable_values, {}),
            executor.context_value,
            hide_suggestions=executor.hide_suggestions,
        )
        self.build_info = executor.build_resolve_info  # type: ignore[assignment, method-assign]
        self.root_value = executor.root_value
        self.field_resolver = executor.field_resolver
        self.type_resolver = executor.type_resolver
        self.is_awaitable = executor.is_awaitable
        self.is_async_iterable = executor.is_async_iterable
        self.propagates = executor.error_propagation
        manager = executor.middleware_manager
        if manager is not None and manager.middlewares:
            self.middleware = manager.get_field_resolver


def planned_fields() -> int:
    """Return the fields that all operations that are kept plan together."""
    return sum(each.size for each in operations.values())


def _operation(executor: CompiledExecutor) -> PlannedOperation:
    """Return an operation; it is known by its node and by those of its fragments."""
    key = (id(executor.operation), id(executor.schema), type(executor))
    with _lock:
        known = operations.get(key)
        if known and known.fragments == executor.fragment_definitions:
            operations.move_to_end(key)
            return known
        operation = operations[key] = PlannedOperation(
            executor.schema,
            executor.operation,
            executor.fragment_definitions,
            executor.simplify(executor.schema),
        )
        while len(operations) > MAX_OPERATIONS or planned_fields() > MAX_FIELDS:
            operations.popitem(last=False)
        return operation
