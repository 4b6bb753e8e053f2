"""Execution of one operation: its fields, errors and pending values (GraphQL section 6).

Synchronous values never touch the event loop. A value that has to be awaited leaves a Pending in
its place. All of them are awaited concurrently, and each fills its place, and completes what is
selected below it, as soon as its own value is available.
"""

from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Self, TypeAlias

import strawberry
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLOutputType,
    GraphQLResolveInfo,
    OperationType,
    ResponsePath,
    Undefined,
    VariableNode,
    VariableValues,
    get_variable_values,
    located_error,
)

from gql_app.lib.engine.complexity import selected
from gql_app.lib.engine.waiting import FAILURES, CancellationExecutor, Group

Value: TypeAlias = Any
"""A value that a resolver returns, or the JSON made of it."""
Path: TypeAlias = Any
"""A value's response path: None, a ResponsePath, or a tuple (parent, key, typename) that becomes
one only when it is needed. The key of a list's items is the list that they are added to: the length
of that list is the index of the current item."""
Position: TypeAlias = Any
"""A Position of fields.py: a field, or an item of a list."""
Plan: TypeAlias = Any
"""A Plan of plans.py."""
Complete: TypeAlias = Callable[["Execution", Value, Path], Value]
"""Returns a completed value (section 6.4.3); a Completion if it must be awaited."""
Variables: TypeAlias = tuple[VariableValues, dict[Hashable, dict[str, Value]]]
"""Coerced variables, and by field the arguments that were coerced with them so far."""

MAX_COMBINATIONS: Final = 8
"""The most combinations of the variables of @skip and @include that an operation has plans for."""
MAX_VARIABLE_ERRORS: Final = 50
"""The most errors of variables that are answered, as in graphql-core."""
MAX_CACHED_VARIABLES: Final = 4
"""The most sets of coerced variables that are kept for an operation."""
MAX_SMALL_VARIABLES: Final = 20
"""The most variables of such a set."""
_SMALL_TYPES: Final = frozenset({int, bool, type(None), type(Undefined)})
"""Types of variables that take next to no memory."""
_ABSENT: Final = object()
_CONDITIONAL: Final = frozenset({"skip", "include"})
_new = tuple.__new__


class Completion(NamedTuple):
    """An awaitable of a completed value."""

    awaitable: Awaitable[Value]


class Pending:
    """A value that is awaited, and its place in the response."""

    __slots__ = ("awaitable", "container", "execution", "group", "key", "path", "position")

    container: Any
    key: Any

    def __init__(
        self, execution: "Execution", position: Position, awaitable: Value, path: Path
    ) -> None:
        self.execution = execution
        self.position = position
        self.awaitable: Value = awaitable
        """A Completion if its result is complete already; None once the value is in its place."""
        self.path = real_path(path)
        self.group: Group | None = None

    async def fill(self) -> None:
        """Await the value and put it in its place, null if it fails and may be; tell the group."""
        execution, group, awaitable = self.execution, self.group, self.awaitable
        try:
            try:
                if type(awaitable) is Completion:
                    value = await awaitable.awaitable
                else:
                    value = self.position.completed(execution, await awaitable, self.path)
                    if type(value) is Completion or execution.pending:
                        value = await execution.completion(value)
            except FAILURES as error:
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


class Execution(CancellationExecutor):
    """graphql-core's executor, of which a copy runs an operation by its plan."""

    arguments: dict[Hashable, dict[str, Value]]
    pending: list[Pending]
    """Values that this synchronous section started, and that nothing awaits yet."""
    calls: dict[Hashable, Any]
    """How each field's resolver is called."""
    last_path: Path = None
    last_info: GraphQLResolveInfo[Any]
    """The last result of info(), for that path."""

    def copied(self, variables: Variables, context: object) -> Self:
        """Return an executor for another request, in a twentieth of the time of building one."""
        new = object.__new__(type(self))
        new.__dict__ = self.__dict__.copy()
        new.variable_values, new.arguments = variables
        new.context_value = context
        new.collected_errors = type(self.collected_errors)()
        new.pending = []
        new.calls = {}
        return new

    def handle_field_error(
        self,
        raw_error: Exception,
        return_type: GraphQLOutputType,
        field_details_list: list[Any],
        path: ResponsePath,
    ) -> None:
        """Add an error, or raise it if the field may not be null.

        graphql-core would search the document for its lines if several nodes select the field.
        """
        first, *others = [each.node for each in field_details_list]
        nodes = [first]
        error = located_error(raw_error, nodes, path.as_list())
        if others and error.nodes is nodes:
            nodes += others
            places = [each.loc for each in nodes if each.loc]
            error.positions = [place.start for place in places] or None
            error.locations = [e.source.get_location(e.start) for e in places] or None
        super().handle_field_error(error, return_type, field_details_list, path)

    def run(
        self, fields: Callable[[Self], Sequence[Value]]
    ) -> ExecutionResult | Coroutine[Any, Any, ExecutionResult]:
        """Return the operation's result, or an awaitable of it (section 6.2).

        `fields` returns the root's planned fields. Raises what it raises, but a GraphQLError.
        """
        serially = self.operation.operation is OperationType.MUTATION
        data: dict[str, Value] = {}
        try:
            left = iter(fields(self))
            self._advance(left, data, serially=serially)
        except GraphQLError as error:
            return self._failed(error)
        if not self.pending:
            return ExecutionResult(data, self.collected_errors.errors or None)
        return self._finish_later(data, left)

    def complete_value(self, *given: Value) -> Value:
        """Return the completed item of an async iterable, or an awaitable of it.

        graphql-core calls it for those alone: with the item, its path and its position.
        """
        *_, path, item, position = given
        try:
            value = position.completed(self, item, path)
        except FAILURES:
            self.abandon(0)
            raise
        return self.completion(value) if type(value) is Completion or self.pending else value

    def info(self, field: Value, path: Path) -> GraphQLResolveInfo[Any]:
        """Return the info that a field's types are resolved with; a list's items share it."""
        if path is not self.last_path:
            here = path
            while here[2] is None:
                here = here[0]
            self.last_path = path
            where: Value = real_path(here)
            self.last_info = self.build_resolve_info(
                field.definition, field.nodes, field.parent, where
            )
        return self.last_info

    def add_pending(self, position: Position, awaitable: Value, path: Path) -> Pending:
        """Return a new Pending for a value; the result of a Completion is complete already."""
        pending = Pending(self, position, awaitable, path)
        self.pending.append(pending)
        return pending

    def await_non_null(self, position: Position, value: Value, path: Path, mark: int) -> Value:
        """Return a completed value, or a Pending of it if a non-null value below it is pending.

        An error of that value would make this one null, so that this one has to await it.
        """
        below = self.pending[mark:]
        if all(each.position.nullable for each in below):
            return value
        del self.pending[mark:]
        return self.add_pending(position, Completion(_filled(value, below)), path)

    def completion(self, value: Value) -> Awaitable[Value]:
        """Return an awaitable of a value that is a Completion, or that has pending values below."""
        if type(value) is Completion:
            return value.awaitable
        return _filled(value, self.take_pending())

    def take_pending(self) -> list[Pending]:
        """Return the pending values, for the caller to await."""
        taken, self.pending = self.pending, []
        return taken

    def abandon(self, mark: int) -> None:
        """Settle the values pending since a mark in the background: their parent is null."""
        if len(self.pending) > mark:
            self.settle_in_background([each.fill() for each in self.pending[mark:]])
            del self.pending[mark:]

    def _advance(self, left: Iterator[Value], data: dict[str, Value], *, serially: bool) -> None:
        """Execute the root's next fields: all of them, or serially up to one that is pending."""
        for field in left:
            value = data[field.name] = field.run(self, self.root_value, None)
            if type(value) is Pending:
                value.container, value.key = data, field.name
            if serially and self.pending:
                break

    async def _finish_later(self, data: dict[str, Value], left: Iterator[Value]) -> ExecutionResult:
        try:
            while waiting := self.take_pending():
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
    """An operation, with a plan for each combination of the variables that its directives use."""

    def __init__(self, template: Execution, plan: Callable[[Execution], Plan]) -> None:
        """Take an executor of the operation, to copy, and what makes a plan."""
        template.variable_values = VariableValues({}, {})  # a password is not kept
        self._template: Final = template
        self._plan: Final = plan
        nodes = selected([template.operation, *template.fragment_definitions.values()])
        directives = [each for node in nodes for each in node.directives or ()]
        self._conditions: Final = {
            argument.value.name.value
            for directive in directives
            if directive.name.value in _CONDITIONAL
            for argument in directive.arguments or ()
            if isinstance(argument.value, VariableNode)
        }
        """The variables that plans depend on."""
        self._plans: dict[Hashable, Plan] = {}
        self._variables: dict[Hashable, Variables] = {}

    @property
    def planned(self) -> int:
        """The number of fields that its plans have so far."""
        return sum([plan.planned for plan in self._plans.values()])

    def execute(
        self, variables: dict[str, Value], context: object
    ) -> ExecutionResult | Coroutine[Any, Any, ExecutionResult]:
        """Return the operation's result, or an awaitable of it."""
        coerced = self._coerce_variables(variables)
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
        return self._template.copied(coerced, context).run(self.fields)

    def fields(self, execution: Execution) -> Sequence[Value]:
        """Return the root's planned fields. Raises GraphQLError."""
        coerced = execution.variable_values.coerced
        key = tuple([coerced.get(name, _ABSENT) for name in self._conditions])
        if key not in self._plans:
            if len(self._plans) >= MAX_COMBINATIONS:
                self._plans.clear()
            self._plans[key] = self._plan(execution)
        fields: Sequence[Value] = self._plans[key].root
        return fields

    def _coerce_variables(self, variables: dict[str, Value]) -> Variables | list[GraphQLError]:
        """Return the coerced variables, or their errors (section 6.1.2).

        Equal small values are coerced once, and so are the arguments that they are in.
        """
        executor = self._template
        definitions = executor.operation.variable_definitions or ()
        values = [variables.get(each.variable.name.value, Undefined) for each in definitions]
        types = list(map(type, values))
        is_small = len(types) <= MAX_SMALL_VARIABLES and _SMALL_TYPES.issuperset(types)
        key = (*values, *types) if is_small else None  # the types, as True == 1
        if key in self._variables:
            return self._variables[key]
        coerced = get_variable_values(
            executor.schema, definitions, variables, MAX_VARIABLE_ERRORS, executor.hide_suggestions
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
    """Return a path as the ResponsePath that resolvers are given."""
    if path is None or type(path) is ResponsePath:
        return path
    parent, key, typename = path
    return _new(ResponsePath, (real_path(parent), len(key) if type(key) is list else key, typename))


def context_at(context: Value, path: Path) -> Value:
    """Return the context of a path: of the `views` it is in, or of theirs; or the given one."""
    if views := getattr(context, "views", None):
        keys = real_path(path).as_list()  # type: ignore[union-attr]  # no field is without a path
        inside = (views.get(tuple(keys[:end])) for end in range(len(keys), 0, -1))
        view = next((view for view in inside if view is not None), None)
        return context if view is None else context_at(view, path)
    return context


class Info(strawberry.Info[Any, Any]):
    """Strawberry's info, whose context is that of the field's path."""

    @property
    def context(self) -> Any:  # noqa: ANN401 — the application's own
        """The context that the field is resolved with."""
        context = super().context
        return context_at(context, self.path) if getattr(context, "views", None) else context


def fill(waiting: Sequence[Pending]) -> Awaitable[None]:
    """Return an awaitable that ends when all have their values; one alone needs no task."""
    return waiting[0].fill() if len(waiting) == 1 else Group().run(waiting)


async def _filled(value: Value, below: Sequence[Pending]) -> Value:
    """Return a value once all pending values below it are in their places."""
    await fill(below)
    return value


async def complete_later(
    execution: Execution,
    awaitable: Awaitable[object],
    choose: Callable[[Value], Complete],
    value: Value,
    path: Path,
) -> Value:
    """Return a completed value, by the function that `choose` returns for what is awaited."""
    complete = choose(await awaitable)
    try:
        done = complete(execution, value, path)
    except FAILURES:
        execution.abandon(0)
        raise
    return await execution.completion(done)
