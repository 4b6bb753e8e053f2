"""Execution: one operation at work, its errors, and what it waits for (GraphQL section 6).

What is synchronous never touches the event loop. Whatever has to be awaited leaves a Pending where
its value will be. All of them are gathered at once, and each fills its place, and goes on below it,
as soon as its own value is there.
"""

from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, Self, TypeAlias

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    OperationType,
    ResponsePath,
    Undefined,
    VariableNode,
    VariableValues,
    default_field_resolver,
    get_variable_values,
)
from graphql.execution.incremental import IncrementalExecutor

from gql_app.lib.engine.complexity import selected
from gql_app.lib.engine.waiting import Group

Value: TypeAlias = Any
"""A value that a resolver returns, or JSON that is made of it."""
Path: TypeAlias = Any
"""Where a value stands: None, a ResponsePath, or a tuple (parent, key, typename) that is made one
only when somebody looks at it. The key of a list's items is the list that they are added to: the
one that is worked at has the index that the list is long."""
Position: TypeAlias = Any
"""A place in the answer that may fail by itself: one of fields.py."""
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
_CONDITIONAL: Final = frozenset({"skip", "include"})
_INCREMENTAL: Final = frozenset({"defer", "stream"})
TOO_DEEP: Final = "Selections are nested too deeply. Execution aborted."
_new = tuple.__new__


class Later(NamedTuple):
    """Something that returns a value as the answer has it when it is awaited."""

    awaitable: Awaitable[Value]


class Pending:
    """A value that is awaited, and the place in the answer where it will be."""

    __slots__ = ("awaitable", "container", "execution", "group", "key", "path", "position")

    container: Any
    key: Any

    def __init__(
        self, execution: "Execution", position: Position, awaitable: Value, path: Path
    ) -> None:
        self.execution = execution
        self.position = position
        self.awaitable: Value = awaitable
        """A Later where the value is complete when it is there; None once it is."""
        self.path = real_path(path)
        self.group: Group | None = None

    async def fill(self) -> None:
        """Put the value in its place, null where it fails and may be; and tell the group."""
        execution, group, awaitable = self.execution, self.group, self.awaitable
        try:
            try:
                if type(awaitable) is Later:
                    value = await awaitable.awaitable
                else:
                    if execution.abort_signal is not None:
                        awaitable = execution.with_abort_signal(awaitable)
                    value = self.position.completed(execution, await awaitable, self.path)
                    if type(value) is Later or execution.pending:
                        value = await execution.whole(value)
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


class Execution(IncrementalExecutor):
    """graphql-core's executor, which can run an operation by its plan, too."""

    compiled = False
    """Whether a plan is run."""
    seen_path: Path = None
    seen_info: GraphQLResolveInfo[Any]
    """What `info` returned last."""

    def __init__(self, *args: Value, **options: Value) -> None:
        super().__init__(*args, **options)
        self.arguments: dict[Hashable, dict[str, Value]] = {}
        self.pending: list[Pending] = []
        """What this synchronous section began, and nobody waits for yet."""
        self.calls: dict[Hashable, Any] = {}
        """How the fields' resolvers are called."""

    def copied(self, variables: Variables, context: object) -> Self:
        """Return an executor of another request, in a twentieth of the time that building takes."""
        new = object.__new__(type(self))
        new.__dict__ = self.__dict__.copy()
        new.variable_values, new.arguments = variables
        new.context_value = context
        new.collected_errors = type(self.collected_errors)()
        new.pending = []
        new.calls = {}
        return new

    def run(
        self, operation: "Operation", *, serially: bool | None = None
    ) -> ExecutionResult | Coroutine[Any, Any, ExecutionResult]:
        """Return the result of the operation, or what is to be awaited for it (section 6.2).

        Unless it is said, the root's fields are executed serially if it is a mutation.
        """
        if serially is None:
            serially = self.operation.operation is OperationType.MUTATION
        self.compiled = True
        data: dict[str, Value] = {}
        try:
            left = iter(operation.fields(self))
            self._advance(left, data, serially=serially)
        except GraphQLError as error:
            return self.finish(self._failed(error))
        if not self.pending:
            return self.finish(ExecutionResult(data, self.collected_errors.errors or None))
        result = self._finished(data, left)
        return result if self.abort_signal is None else self.with_aborted_execution_error(result)

    def complete_value(self, *given: Value) -> Value:
        """Return an item of an async iterable, complete, or what is to be awaited for it.

        So graphql-core calls it where a plan is run: with the item, its path and its position.
        """
        if not self.compiled:
            return super().complete_value(*given)
        *_, path, item, position = given
        try:
            value = position.completed(self, item, path)
        except Exception:
            self.abandon(0)
            raise
        return self.whole(value) if type(value) is Later or self.pending else value

    def info(self, field: Value, path: Path) -> GraphQLResolveInfo[Any]:
        """Return what a field's types are resolved with; it is the same for a list's items."""
        if path is not self.seen_path:
            here = path
            while here[2] is None:
                here = here[0]
            self.seen_path = path
            where: Value = real_path(here)
            self.seen_info = self.build_resolve_info(
                field.definition, field.nodes, field.parent, where
            )
        return self.seen_info

    def wait(self, position: Position, awaitable: Value, path: Path) -> Pending:
        """Return what stands for a value until it is there; and, if it is a Later, complete."""
        pending = Pending(self, position, awaitable, path)
        self.pending.append(pending)
        return pending

    def enclose(self, position: Position, value: Value, path: Path, mark: int) -> Value:
        """Return a value that is complete but for what waits below it.

        Where that may fail, the value is null with it: then it waits itself.
        """
        below = self.pending[mark:]
        if all(each.position.nullable for each in below):
            return value
        del self.pending[mark:]
        return self.wait(position, Later(_filled(value, below)), path)

    def whole(self, value: Value) -> Awaitable[Value]:
        """Return what is awaited for a value, which is Later, or below which something waits."""
        if type(value) is Later:
            return value.awaitable
        return _filled(value, self.taken())

    def taken(self) -> list[Pending]:
        """Return what waits, for who waits for it."""
        taken, self.pending = self.pending, []
        return taken

    def abandon(self, mark: int) -> None:
        """Let what began since a mark go on where nobody waits for it: its parent is null."""
        if len(self.pending) > mark:
            self.settle_in_background([each.fill() for each in self.pending[mark:]])
            del self.pending[mark:]

    def _advance(self, left: Iterator[Value], data: dict[str, Value], *, serially: bool) -> None:
        """Execute the root's next fields: all of them, or those up to one that waits."""
        for field in left:
            if serially and self.abort_signal is not None and self.abort_signal.aborted:
                raise self.abort_error()
            value = data[field.name] = field.run(self, self.root_value, None)
            if type(value) is Pending:
                value.container, value.key = data, field.name
            if serially and self.pending:
                break

    async def _finished(self, data: dict[str, Value], left: Iterator[Value]) -> ExecutionResult:
        try:
            while waiting := self.taken():
                await fill(waiting)
                self._advance(left, data, serially=True)
        except GraphQLError as error:
            return self._failed(error)
        return ExecutionResult(data, self.collected_errors.errors or None)

    def _failed(self, error: GraphQLError) -> ExecutionResult:
        self.abandon(0)
        self.collected_errors.add(error, None)
        return ExecutionResult(None, self.collected_errors.errors)


class Operation:
    """An operation, planned when it is first executed for whatever its directives depend on."""

    def __init__(self, executor: Value, plan: Value, template: Execution | None = None) -> None:
        """Take what is executed, executor.py's Plan, and an executor to make others of."""
        self._plan_of: Final = plan
        self.schema: Final = executor.schema
        self.node: Final = executor.operation
        self.fragments: Final = executor.fragment_definitions
        self.simplify: Final = executor.simplify(executor.schema)
        nodes = selected([self.node, *self.fragments.values()])
        directives = [each for node in nodes for each in node.directives or ()]
        self.is_incremental: Final = any(each.name.value in _INCREMENTAL for each in directives)
        """Whether anything is to be delivered later than the rest."""
        self._conditions: Final = {
            argument.value.name.value
            for directive in directives
            if directive.name.value in _CONDITIONAL
            for argument in directive.arguments or ()
            if isinstance(argument.value, VariableNode)
        }
        """The variables that plans depend on."""
        # What a fragment's own variables are may depend on all of the operation's.
        self._is_kept: Final = not any(f.variable_signatures for f in executor.fragments.values())
        self.size = 0
        """The fields that were planned so far, and are kept."""
        if template is not None:
            template.variable_values = VariableValues({}, {})  # a password is not kept
            self._template = template
        self._roots: dict[Hashable, Sequence[Value]] = {}
        self._variables: dict[Hashable, Variables] = {}

    def execute(
        self, variables: dict[str, Value], context: object
    ) -> ExecutionResult | Coroutine[Any, Any, ExecutionResult]:
        """Return the result of the operation, or what is to be awaited for it."""
        coerced = self._coerced(variables)
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
        return self._template.copied(coerced, context).run(self)

    def fields(self, execution: Execution) -> Sequence[Value]:
        """Return the root's fields, as written if no resolver is the caller's.

        Raises GraphQLError.
        """
        manager = execution.middleware_manager
        as_written = execution.field_resolver is default_field_resolver and not (
            manager and manager.middlewares
        )
        key: Hashable = as_written
        if self._conditions:
            coerced = execution.variable_values.coerced
            key = (as_written, *[coerced.get(name, _ABSENT) for name in self._conditions])
        kept = self._is_kept
        try:
            fields = self._roots.get(key)
        except TypeError:  # no condition is a list, but the document may not be valid
            kept, fields = False, None
        if fields is None:
            if not kept or len(self._roots) >= MAX_COMBINATIONS:
                self._roots.clear()
                self.size = 0
            fields = self._plan(execution, as_written=as_written)
            if kept:
                self._roots[key] = fields
        return fields

    def _plan(self, execution: Execution, *, as_written: bool) -> Sequence[Value]:
        root = self.schema.get_root_type(self.node.operation)
        if root is None:
            message = f"Schema is not configured to execute {self.node.operation.value} operation."
            raise GraphQLError(message, self.node)
        details = SimpleNamespace(node=self.node, defer_usage=None, fragment_variable_values=None)
        with suppress(RecursionError):  # as an error's context it would keep all of its frames
            plan = self._plan_of(self, as_written=as_written)
            fields: Sequence[Value] = plan.selection(root, [details]).fields(execution)
            return fields
        raise GraphQLError(TOO_DEEP, self.node)

    def _coerced(self, variables: dict[str, Value]) -> Variables | list[GraphQLError]:
        """Return the variables coerced, or what is wrong with them (section 6.1.2).

        The same small values are coerced once. Without that a page of 50 takes 1.06 to 1.10 times
        as long.
        """
        executor = self._template
        definitions = executor.operation.variable_definitions or ()
        values = [variables.get(each.variable.name.value, Undefined) for each in definitions]
        types = list(map(type, values))
        key = (*values, *types) if _SMALL_TYPES.issuperset(types) else None  # for True is 1
        if key in self._variables:
            return self._variables[key]
        coerced = get_variable_values(
            executor.schema, definitions, variables, MAX_VARIABLE_ERRORS, executor.hide_suggestions
        )
        if isinstance(coerced, list):
            return coerced
        if key is None or not self._is_kept:
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


def fill(waiting: Sequence[Pending]) -> Awaitable[None]:
    """Return what ends when all have their values; one alone needs no task of its own."""
    return waiting[0].fill() if len(waiting) == 1 else Group().run(waiting)


async def _filled(value: Value, below: Sequence[Pending]) -> Value:
    """Return a value when all that waits below it is there."""
    await fill(below)
    return value


async def complete_later(
    execution: Execution,
    awaitable: Awaitable[object],
    choose: Callable[[Value], Complete],
    value: Value,
    path: Path,
) -> Value:
    """Return a value, complete, by what is chosen once something is there."""
    complete = choose(await execution.with_abort_signal(awaitable))
    try:
        done = complete(execution, value, path)
    except Exception:
        execution.abandon(0)
        raise
    return await execution.whole(done)
