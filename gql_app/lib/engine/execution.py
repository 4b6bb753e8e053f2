"""Execution: one operation at work, its errors, and what it waits for (GraphQL section 6).

What is synchronous never touches the event loop. Whatever has to be awaited leaves a Pending where
its value will be. All of them are gathered at once, and each fills its place, and goes on below it,
as soon as its own value is there.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeGuard

from graphql import (
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    ResponsePath,
    Undefined,
    VariableValues,
    default_field_resolver,
    default_type_resolver,
    get_variable_values,
)
from graphql.pyutils import is_async_iterable, is_awaitable

from gql_app.lib.engine.waiting import HELPERS, Group, settle

Value: TypeAlias = Any
"""A value that a resolver returns, or JSON that is made of it."""
Path: TypeAlias = Any
"""Where a value stands: None, a ResponsePath, or a tuple (parent, key, typename) that is made one
only when somebody looks at it. The key of a list's items is the list that they are added to: the
one that is worked at has the index that the list is long."""
Complete: TypeAlias = Callable[["Execution", Value, Path], Value]
"""Returns a value as the answer has it (section 6.4.3); a Later if it must be awaited."""
Variables: TypeAlias = tuple[VariableValues, dict[Hashable, dict[str, Value]]]
"""Variables as their types have them; by fields, the arguments made of them so far."""

MAX_COMBINATIONS: Final = 8
"""Combinations of what @skip and @include depend on for which an operation has plans."""
MAX_VARIABLE_ERRORS: Final = 50
"""Errors of variables that are answered, as graphql-core has it."""
MAX_CACHED_VARIABLES: Final = 8
"""Coerced variables that are kept of an operation."""
_SMALL_TYPES: Final = frozenset({int, bool, type(None), type(Undefined)})
"""Types of variables that take next to no memory."""
_ABSENT: Final = object()
_new = tuple.__new__


class Position(Protocol):
    """A place in the answer that may fail by itself."""

    complete: Complete
    nullable: bool
    suspends: bool | None

    def refuse_null(self) -> None:
        """Raise TypeError, for null may not be here."""

    def fail(self, execution: "Execution", error: Exception, path: Path) -> Value:
        """Add an error where null may be; raise it, located, where it is the parent's."""


class Later:
    """Something that returns a value as the answer has it when it is awaited."""

    __slots__ = ("awaitable",)

    def __init__(self, awaitable: Awaitable[Value]) -> None:
        self.awaitable: Final = awaitable


class Pending:
    """A value that is awaited, and the place in the answer where it will be."""

    __slots__ = (
        "awaitable", "completed", "container", "execution", "group", "key", "path", "position",
    )  # fmt: skip

    container: Any
    key: Any

    def __init__(
        self, execution: "Execution", position: Position, awaitable: Awaitable[Value], path: Path
    ) -> None:
        self.execution = execution
        self.position = position
        self.awaitable: Awaitable[Value] | None = awaitable
        self.path = real_path(path)
        self.completed = False
        """Whether the value is complete when it is there."""
        self.group: Group | None = None

    async def fill(self) -> None:
        """Put the value in its place, null where it fails and may be; and tell the group."""
        execution, group = self.execution, self.group
        try:
            try:
                value = await self.awaitable  # type: ignore[misc]
                if not self.completed:
                    value = self.position.complete(execution, value, self.path)
                    if value is None and not self.position.nullable:
                        self.position.refuse_null()
                    if type(value) is Later:
                        value = await value.awaitable
                    elif execution.pending:
                        await fill(execution.taken())
            except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
                execution.abandon(0)
                value = self.position.fail(execution, error, self.path)
        except BaseException as error:
            if group is None or isinstance(error, GeneratorExit):
                raise
            group.end(error)
            return
        self.awaitable = None
        self.container[self.key] = value
        if group is not None:
            group.left -= 1
            if not group.left:
                group.end()


class Execution:
    """One execution of an operation: what it is given, its errors, and what it waits for."""

    root_value: object = None
    field_resolver: Callable[..., Value] = staticmethod(default_field_resolver)
    type_resolver: Callable[..., Value] = staticmethod(default_type_resolver)
    middleware: Callable[..., Callable[..., Value]] | None = None
    is_awaitable: Callable[[Value], TypeGuard[Awaitable[Value]]]
    is_async_iterable: Callable[..., bool] = staticmethod(is_async_iterable)
    propagates = True
    """Whether an error is the parent's where null may not be."""
    seen_path: Path = None
    seen_info: Any = None

    def __init__(
        self,
        operation: "Operation",
        variables: Variables,
        context: object,
        *,
        hide_suggestions: bool,
    ) -> None:
        self.operation = operation
        self.schema = operation.schema
        self.variables, self.arguments = variables
        self.context = context
        self.hide_suggestions = hide_suggestions
        self.is_awaitable = is_awaitable
        self.errors: list[GraphQLError] = []
        self.nulled: set[tuple[str | int, ...]] = set()
        self.pending: list[Pending] = []
        """What this synchronous section began, and nobody waits for yet."""
        self.calls: dict[Hashable, Any] = {}

    def build_info(
        self,
        definition: GraphQLField,
        nodes: list[FieldNode],
        parent: GraphQLObjectType,
        path: ResponsePath,
    ) -> GraphQLResolveInfo[Any]:
        """Return what graphql-core gives a resolver."""
        name, operation = nodes[0].name.value, self.operation
        return GraphQLResolveInfo(
            name, nodes, definition.type, parent, path, self.schema, operation.fragments,
            self.root_value, operation.node, self.variables, self.context, self.is_awaitable,
            None, HELPERS,
        )  # fmt: skip

    def info(self, field: Value, path: Path) -> GraphQLResolveInfo[Any]:
        """Return what a field's types are resolved with; it is the same for a list's items."""
        if path is not self.seen_path:
            here = path
            while here[2] is None:
                here = here[0]
            self.seen_path = path
            self.seen_info = self.build_info(
                field.definition,
                field.nodes,
                field.parent,
                real_path(here),  # type: ignore[arg-type]
            )
        return self.seen_info  # type: ignore[no-any-return]

    def add(self, error: GraphQLError, keys: Sequence[str | int]) -> None:
        """Add an error, unless its place or one above it is null for another."""
        place, nulled = tuple(keys), self.nulled
        if nulled and any(place[:length] in nulled for length in range(len(place) + 1)):
            return
        nulled.add(place)
        self.errors.append(error)

    def wait(self, position: Position, awaitable: Awaitable[Value], path: Path) -> Pending:
        """Return what stands for a value until it is there."""
        pending = Pending(self, position, awaitable, path)
        self.pending.append(pending)
        return pending

    def wait_for(self, position: Position, awaitable: Awaitable[Value], path: Path) -> Pending:
        """Return what stands for a value until it is there, and complete."""
        pending = self.wait(position, awaitable, path)
        pending.completed = True
        return pending

    def enclose(self, position: Position, value: Value, path: Path, mark: int) -> Value:
        """Return a value that is complete but for what waits below it.

        Where that may fail, the value is null with it: then it waits itself.
        """
        below = self.pending[mark:]
        if all(each.position.nullable for each in below):
            return value
        del self.pending[mark:]
        return self.wait_for(position, _filled(value, below), path)

    def taken(self) -> list[Pending]:
        """Return what waits, for who waits for it."""
        taken = self.pending[:]
        self.pending.clear()
        return taken

    def abandon(self, mark: int) -> None:
        """Let what began since a mark go on where nobody waits for it: its parent is null."""
        if len(self.pending) > mark:
            settle([each.fill() for each in self.pending[mark:]])
            del self.pending[mark:]


class Operation(ABC):
    """An operation of a document, and its plans for whatever its directives depend on."""

    def __init__(
        self,
        schema: GraphQLSchema,
        node: OperationDefinitionNode,
        fragments: dict[str, FragmentDefinitionNode],
        conditions: Sequence[str],
    ) -> None:
        """Take the names of the variables that its directives ask for."""
        self.schema: Final = schema
        self.node: Final = node
        self.fragments: Final = fragments
        self._conditions = conditions
        self._roots: dict[Hashable, Sequence[Value]] = {}
        self._variables: dict[Hashable, Variables] = {}

    @abstractmethod
    def plan(self, execution: Execution, *, as_written: bool) -> Sequence[Value]:
        """Return the root's fields; `as_written` if no resolver is the caller's.

        Raises GraphQLError.
        """

    def execute(
        self, variables: dict[str, Value], context: object, *, hide_suggestions: bool
    ) -> ExecutionResult | Coroutine[Any, Any, ExecutionResult]:
        """Return the result of the operation, or what is to be awaited for it."""
        coerced = self._coerced(variables, hide_suggestions=hide_suggestions)
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
        execution = Execution(self, coerced, context, hide_suggestions=hide_suggestions)
        return self.run(execution, serially=self.node.operation is OperationType.MUTATION)

    def run(
        self, execution: Execution, *, serially: bool
    ) -> ExecutionResult | Coroutine[Any, Any, ExecutionResult]:
        """Return the result of an execution, or what is to be awaited for it (section 6.2)."""
        data: dict[str, Value] = {}
        try:
            left = iter(self._fields(execution))
            _advance(execution, left, data, serially=serially)
        except GraphQLError as error:
            return _failed(execution, error)
        if execution.pending:
            return _finish(execution, data, left)
        return ExecutionResult(data, execution.errors or None)

    def _fields(self, execution: Execution) -> Sequence[Value]:
        as_written = (
            execution.middleware is None and execution.field_resolver is default_field_resolver
        )
        key: Hashable = as_written
        if self._conditions:
            coerced = execution.variables.coerced
            key = (as_written, *[coerced.get(name, _ABSENT) for name in self._conditions])
        try:
            fields = self._roots.get(key)
        except TypeError:  # no condition is a list, but the document may not be valid
            return self.plan(execution, as_written=as_written)
        if fields is None:
            if len(self._roots) >= MAX_COMBINATIONS:
                self._roots.clear()
            fields = self._roots[key] = self.plan(execution, as_written=as_written)
        return fields

    def _coerced(
        self, variables: dict[str, Value], *, hide_suggestions: bool
    ) -> Variables | list[GraphQLError]:
        """Return the variables coerced, or what is wrong with them (section 6.1.2).

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
            self.schema, definitions, variables, MAX_VARIABLE_ERRORS, hide_suggestions
        )
        if isinstance(coerced, list):
            return coerced
        if key is None:
            return coerced, {}
        if len(self._variables) >= MAX_CACHED_VARIABLES:
            self._variables.clear()
        self._variables[key] = coerced, {}
        return self._variables[key]


def real_path(path: Path) -> ResponsePath | None:
    """Return a path as resolvers are given it."""
    if path is None or type(path) is ResponsePath:
        return path
    parent, key, typename = path
    return _new(ResponsePath, (real_path(parent), len(key) if type(key) is list else key, typename))


def keys_of(path: Path) -> list[str | int]:
    """Return a path as the answer has it."""
    real = real_path(path)
    return real.as_list() if real else []


async def fill(waiting: Sequence[Pending]) -> None:
    """Return when all have their values; one alone needs no task of its own."""
    if len(waiting) == 1:
        await waiting[0].fill()
    elif waiting:
        await Group().run(waiting)


async def _filled(value: Value, below: Sequence[Pending]) -> Value:
    """Return a value when all that waits below it is there."""
    await fill(below)
    return value


def _advance(
    execution: Execution, left: Iterator[Value], data: dict[str, Value], *, serially: bool
) -> None:
    """Execute the root's next fields: all of them, or those up to one that waits."""
    for field in left:
        value = data[field.name] = field.run(execution, execution.root_value, None)
        if type(value) is Pending:
            value.container, value.key = data, field.name
        if serially and execution.pending:
            break


async def _finish(
    execution: Execution, data: dict[str, Value], left: Iterator[Value]
) -> ExecutionResult:
    try:
        while waiting := execution.taken():
            await fill(waiting)
            _advance(execution, left, data, serially=True)
    except GraphQLError as error:
        return _failed(execution, error)
    return ExecutionResult(data, execution.errors or None)


def _failed(execution: Execution, error: GraphQLError) -> ExecutionResult:
    execution.abandon(0)
    execution.add(error, ())
    return ExecutionResult(None, execution.errors)
