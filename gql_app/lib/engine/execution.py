"""Execution: one operation at work, and how what resolvers return becomes its answer.

GraphQL section 6, as graphql-core executes it. What is synchronous never touches the event loop.
Whatever has to be awaited leaves a Pending where its value will be: all of a section's are
gathered at once, and each fills its place, and goes on below it, as soon as its own value is there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from types import CoroutineType, GeneratorType, NoneType
from typing import Any, Final, TypeAlias, TypeGuard

from graphql import (
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLResolveInfoHelpers,
    GraphQLSchema,
    OperationDefinitionNode,
    ResponsePath,
    VariableValues,
    default_field_resolver,
    default_type_resolver,
    get_argument_values,
    located_error,
)
from graphql.pyutils import gather_with_cancel, is_async_iterable, is_awaitable

Value: TypeAlias = Any
"""A value that a resolver returns, or JSON that is made of it."""
Path: TypeAlias = Any
"""Where a value stands: None, a ResponsePath, or a tuple (parent, key, typename) that is made one
only when somebody looks at it. The key of a list's items is the list that they are added to: the
one that is worked at has the index that the list is long."""
Complete: TypeAlias = Callable[["Execution", Value, Path], Value]
"""Returns a value as the answer has it (GraphQL section 6.4.3); a Later if it must be awaited."""

_IMMUTABLE: Final[frozenset[type]] = frozenset({str, int, float, bool, NoneType})
"""Types of arguments that may be handed to a resolver more than once."""
_BUILTIN: Final[frozenset[type]] = frozenset(
    {*_IMMUTABLE, bytes, list, tuple, dict, set, frozenset}
)
_HOOKS: Final = ("__getattr__", "__getattribute__", "__class__", "__await__", "__call__")
"""What makes a type answer otherwise than by its attributes."""
MANY: Final = 32
"""Objects of a selection after which a function is generated for it."""
_MAX_TYPES: Final = 4096
TOO_DEEP: Final = "Selections are nested too deeply. Execution aborted."
PLAIN: Final[set[type]] = set(_BUILTIN)
"""Types met so far whose values are no exceptions, and neither callable nor awaitable."""
ATTRIBUTES: Final[set[type]] = set()
"""Those whose attributes are a GraphQL object's fields; a Mapping's are not."""
_ODD: Final[set[type]] = set()
"""Types met so far that must be looked at each time."""
_background: Final[set[asyncio.Future[Any]]] = set()
"""What was abandoned, until it is settled."""
_new = tuple.__new__


class Pending:
    """A value that is awaited, and the place in the answer where it will be."""

    __slots__ = (
        "awaitable", "completed", "container", "execution", "group", "key", "path", "position",
    )  # fmt: skip

    container: Any
    key: Any

    def __init__(
        self,
        execution: "Execution",
        position: "Position",
        awaitable: Awaitable[Value],
        path: Path,
        *,
        completed: bool,
    ) -> None:
        self.execution = execution
        self.position = position
        self.awaitable = awaitable
        self.path = real_path(path)
        self.completed = completed
        """Whether what is awaited is complete by then."""
        self.group: Group | None = None

    async def fill(self) -> None:
        """Put the value in its place; null where it fails, if it may be null."""
        execution, group = self.execution, self.group
        try:
            try:
                value = await self.awaitable
                if not self.completed:
                    value = self.position.complete(execution, value, self.path)
                    if type(value) is Later:
                        value = await value.awaitable
                    elif execution.pending:
                        await fill(execution.taken())
            except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
                execution.abandon(0)
                value = self.position.fail(execution, error, self.path)
        except BaseException as error:
            if group is None:
                raise
            group.end(error)
        else:
            self.container[self.key] = value
            if group is not None:
                group.left -= 1
                if not group.left:
                    group.end()


class Later:
    """Something that returns a value as the answer has it when it is awaited."""

    __slots__ = ("awaitable",)

    def __init__(self, awaitable: Awaitable[Value]) -> None:
        self.awaitable: Final = awaitable


def learn(kind: type) -> None:
    """Note whether a type is plain, which is looked up for each value."""
    if kind in _ODD:
        return
    if len(PLAIN) + len(_ODD) > _MAX_TYPES:
        PLAIN.clear()
        ATTRIBUTES.clear()
        _ODD.clear()
        PLAIN.update(_BUILTIN)
    if issubclass(kind, (BaseException, Mapping, CoroutineType, GeneratorType)) or any(
        hook in vars(base)
        for base in kind.__mro__
        for hook in _HOOKS
        if base not in _BUILTIN and base is not object
    ):
        _ODD.add(kind)
    else:
        PLAIN.add(kind)
        ATTRIBUTES.add(kind)


def real_path(path: Path) -> ResponsePath | None:
    """Return a path as resolvers are given it."""
    if path is None or type(path) is ResponsePath:
        return path
    parent, key, typename = path
    index = len(key) if type(key) is list else key
    return _new(ResponsePath, (real_path(parent), index, typename))


def keys_of(path: Path) -> list[str | int]:
    """Return a path as the answer has it."""
    keys: list[str | int] = []
    while path is not None:
        path, key, _ = path
        keys.append(len(key) if type(key) is list else key)
    keys.reverse()
    return keys


class Call:
    """How a field's resolver is called, the same for all objects of one execution."""

    __slots__ = ("after", "arguments", "before", "info", "resolve")

    def __init__(
        self, resolve: Callable[..., Value], info: GraphQLResolveInfo[Any], arguments: Value
    ) -> None:
        self.resolve = resolve
        self.info = type(info)
        self.before = tuple(info[:4])
        self.after = tuple(info[5:])
        self.arguments = arguments
        """None where they are coerced anew for each call."""


class Execution:
    """One execution of an operation: what it is given, its errors, and what it waits for."""

    __slots__ = (
        "abort_signal", "arguments", "async_helpers", "build_info", "calls", "context", "errors",
        "field_resolver", "fragments", "hide_suggestions", "is_async_iterable", "is_awaitable",
        "middleware", "nulled", "operation", "pending", "propagates", "root_value", "schema",
        "seen_info", "seen_path", "type_resolver", "variables",
    )  # fmt: skip

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDefinitionNode],
        variables: VariableValues,
        context: object,
        *,
        root_value: object = None,
        arguments: dict["Field", dict[str, Value]] | None = None,
        hide_suggestions: bool = False,
    ) -> None:
        """Begin with no errors; `arguments` are what is known already of the same variables."""
        self.schema = schema
        self.operation = operation
        self.fragments = fragments
        self.variables = variables
        self.context = context
        self.root_value = root_value
        self.arguments = {} if arguments is None else arguments
        self.hide_suggestions = hide_suggestions
        self.field_resolver: Callable[..., Value] = default_field_resolver
        self.type_resolver: Callable[..., Value] = default_type_resolver
        self.middleware: Callable[..., Callable[..., Value]] | None = None
        self.is_awaitable: Callable[[Value], TypeGuard[Awaitable[Value]]] = is_awaitable
        self.is_async_iterable: Callable[[Value], bool] = is_async_iterable
        self.abort_signal: Any = None
        self.async_helpers = HELPERS
        self.build_info: Callable[..., GraphQLResolveInfo[Any]] = self.resolve_info
        self.propagates = True
        self.errors: list[GraphQLError] = []
        self.nulled: set[tuple[str | int, ...]] = set()
        self.pending: list[Pending] = []
        self.calls: dict[Field, Call] = {}
        self.seen_path: Path = None
        self.seen_info: Any = None

    def resolve_info(
        self,
        definition: GraphQLField,
        nodes: list[FieldNode],
        parent: GraphQLObjectType,
        path: ResponsePath,
    ) -> GraphQLResolveInfo[Any]:
        """Return what graphql-core gives a resolver."""
        return GraphQLResolveInfo(
            nodes[0].name.value,
            nodes,
            definition.type,
            parent,
            path,
            self.schema,
            self.fragments,
            self.root_value,
            self.operation,
            self.variables,
            self.context,
            self.is_awaitable,
            self.abort_signal,
            self.async_helpers,
        )

    def add(self, error: GraphQLError, keys: Sequence[str | int]) -> None:
        """Add an error, unless its place or one above it is null for another."""
        place = tuple(keys)
        nulled = self.nulled
        if nulled and any(place[:length] in nulled for length in range(len(place) + 1)):
            return
        nulled.add(place)
        self.errors.append(error)

    def awaits(self, value: Value) -> bool:
        """Return whether a value of a type that isn't known is to be awaited."""
        learn(type(value))
        return self.is_awaitable(value)

    def wait(
        self, position: "Position", awaitable: Awaitable[Value], path: Path, *, completed: bool
    ) -> Pending:
        """Return what stands for a value until it is there; it may be `completed` by then."""
        pending = Pending(self, position, awaitable, path, completed=completed)
        self.pending.append(pending)
        return pending

    def enclose(self, position: "Position", value: Value, path: Path, mark: int) -> Value:
        """Return a value that is complete but for what waits below it.

        Where that may fail, the value is null with it: then it waits itself.
        """
        below = self.pending[mark:]
        if not any(not each.position.nullable for each in below):
            return value
        del self.pending[mark:]
        return self.wait(position, self.filled(value, below), path, completed=True)

    async def filled(self, value: Value, below: list[Pending]) -> Value:
        """Return a value when all that waits below it is there."""
        await fill(below)
        return value

    async def complete_later(self, complete: Complete, value: Value, path: Path) -> Value:
        """Complete a value, and wait for all that it begins."""
        try:
            done = complete(self, value, path)
        except Exception:
            self.abandon(0)
            raise
        if type(done) is Later:
            return await done.awaitable
        if self.pending:
            await fill(self.taken())
        return done

    def taken(self) -> list[Pending]:
        """Return what waits, to be gathered by who asks."""
        taken = self.pending[:]
        self.pending.clear()
        return taken

    def abandon(self, mark: int) -> None:
        """Let what began since a mark go on where nobody waits for it: its parent is null."""
        if len(self.pending) > mark:
            settle([each.fill() for each in self.pending[mark:]])
            del self.pending[mark:]

    def info(self, field: "Field", path: Path) -> GraphQLResolveInfo[Any]:
        """Return what a field's types are resolved with; it is the same for a list's items."""
        if path is self.seen_path:
            return self.seen_info  # type: ignore[no-any-return]
        here = path
        while here[2] is None:
            here = here[0]
        self.seen_path = path
        self.seen_info = self.build_info(
            field.definition, field.nodes, field.parent, real_path(here)
        )
        return self.seen_info  # type: ignore[no-any-return]


class Group:
    """What is awaited side by side: asyncio.gather in half the time."""

    __slots__ = ("ended", "left")

    async def run(self, waiting: Sequence[Pending]) -> None:
        """Return when all are filled; if one raises, the others are cancelled and awaited."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        self.left = len(waiting)
        self.ended: asyncio.Future[None] | None = ended
        for each in waiting:
            each.group = self
        tasks = [loop.create_task(each.fill(), name="field") for each in waiting]
        try:
            await ended
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    def end(self, error: BaseException | None = None) -> None:
        """Go on, or raise the first error where all are awaited: in the loop's next turn.

        asyncio.gather takes that turn as well, and so errors of several groups keep their order.
        """
        if self.ended is not None:
            ended, self.ended = self.ended, None
            asyncio.get_running_loop().call_soon(_end, ended, error)


def _end(ended: asyncio.Future[None], error: BaseException | None) -> None:
    if ended.done():  # for who waits was cancelled
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)


async def fill(waiting: Sequence[Pending]) -> None:
    """Wait side by side until all have their values; one alone needs no task of its own."""
    if len(waiting) == 1:
        await waiting[0].fill()
    elif waiting:
        await Group().run(waiting)


def settle(awaitables: Sequence[Awaitable[Value]]) -> None:
    """Await what nobody waits for, so that it ends; without an event loop it never begins."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        for each in awaitables:
            if asyncio.iscoroutine(each):
                each.close()
        return
    future = asyncio.gather(*awaitables, return_exceptions=True)
    _background.add(future)
    future.add_done_callback(_background.discard)


def _gather_values(values: Sequence[Awaitable[Value]]) -> Awaitable[list[Value]]:
    return gather_with_cancel(*values)


def _track(values: Sequence[Value]) -> None:
    if awaitables := [each for each in values if is_awaitable(each)]:
        settle(awaitables)


HELPERS: Final = GraphQLResolveInfoHelpers(_gather_values, _track)
"""What resolvers are given to await several things."""


class Position:
    """A place in the answer that may fail by itself: a field, or an item of a list."""

    __slots__ = ("complete", "exact", "nodes", "nullable")

    def __init__(
        self, nodes: list[FieldNode], complete: Complete, *, exact: type | None, nullable: bool
    ) -> None:
        self.nodes = nodes
        self.complete = complete
        self.exact = exact
        """The type whose values are complete as they are."""
        self.nullable = nullable

    def settle(self, execution: Execution, value: Value, path: Path) -> Value:
        """Return a value, complete, or a Pending; null where it fails, if it may be null."""
        mark = len(execution.pending)
        try:
            if type(value) not in PLAIN and execution.awaits(value):
                return execution.wait(self, value, path, completed=False)
            done = self.complete(execution, value, path)
            if type(done) is Later:
                return execution.wait(self, done.awaitable, path, completed=True)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            execution.abandon(mark)
            return self.fail(execution, error, path)
        if self.nullable and len(execution.pending) > mark:
            return execution.enclose(self, done, path, mark)
        return done

    def fail(self, execution: Execution, error: Exception, path: Path) -> Value:
        """Add an error where null may be; raise it, located, where it is the parent's."""
        keys = keys_of(path)
        located = located_error(error, self.nodes, keys)
        if execution.propagates and not self.nullable:
            raise located
        execution.add(located, keys)
        return None


class Field(Position):
    """A field as an operation selects it of one type."""

    __slots__ = (
        "attribute",
        "definition",
        "name",
        "parent",
        "resolve",
        "run",
        "strict",
        "typename",
    )

    run: Callable[[Execution, Value, Path], Value]
    """Returns the field of an object at a path, complete."""

    def __init__(
        self,
        name: str,
        nodes: list[FieldNode],
        definition: GraphQLField,
        parent: GraphQLObjectType,
    ) -> None:
        self.name = name
        self.nodes = nodes
        self.definition = definition
        self.parent = parent
        self.typename = parent.name
        self.resolve: Callable[..., Value] | None = None
        self.attribute: str | None = None
        """The attribute, or the key, that the field is, if no resolver is called."""
        self.strict = False
        """Whether it is nothing but an attribute, which must be there."""

    def constant(self, _execution: Execution, _source: Value, _path: Path) -> str:
        """Return the type's name."""
        return self.typename

    def fetch(self, source: Value) -> Value:
        """Return the attribute or the item that the field is."""
        name = self.attribute
        assert name is not None
        if self.strict:
            return getattr(source, name)
        if type(source) not in ATTRIBUTES and isinstance(source, Mapping):
            return source.get(name)
        return getattr(source, name, None)

    def read(self, execution: Execution, source: Value, path: Path) -> Value:
        """Return the attribute, complete."""
        try:
            value = self.fetch(source)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            return self.lost(execution, error, path)
        if type(value) is self.exact:
            return value
        return self.fetched(execution, value, path)

    def lost(self, execution: Execution, error: Exception, path: Path) -> Value:
        """Fail because of an attribute that can't be read."""
        return self.fail(execution, error, (path, self.name, self.typename))

    def fetched(self, execution: Execution, value: Value, path: Path) -> Value:
        """Return the attribute's value, complete; a method is called."""
        here: Path = (path, self.name, self.typename)
        if type(value) not in PLAIN and not self.strict and callable(value):
            here = real_path(here)
            try:
                value = value(execution.info(self, here))
            except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
                return self.fail(execution, error, here)
        return self.settle(execution, value, here)

    def call(self, execution: Execution, source: Value, path: Path) -> Value:
        """Return what the resolver returns, complete."""
        here = _new(ResponsePath, (real_path(path), self.name, self.typename))
        try:
            call = execution.calls.get(self)
            if call is None:
                call, arguments = self.prepare(execution, here)
            else:
                arguments = call.arguments
                if arguments is None:
                    arguments = self.coerced(execution)
            info = _new(call.info, (*call.before, here, *call.after))
            value = call.resolve(source, info, **arguments)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            return self.fail(execution, error, here)
        if type(value) is self.exact:
            return value
        return self.settle(execution, value, here)

    def prepare(self, execution: Execution, path: ResponsePath) -> tuple[Call, dict[str, Value]]:
        """Return how the resolver is called, and the first call's arguments."""
        resolve = self.resolve or self.definition.resolve or execution.field_resolver
        if execution.middleware:
            resolve = execution.middleware(resolve)
        info = execution.build_info(self.definition, self.nodes, self.parent, path)
        arguments = execution.arguments.get(self)
        if arguments is None:
            arguments = self.coerced(execution)
        same = _IMMUTABLE.issuperset(map(type, arguments.values()))
        if same:
            execution.arguments[self] = arguments
        call = execution.calls[self] = Call(resolve, info, arguments if same else None)
        return call, arguments

    def coerced(self, execution: Execution) -> dict[str, Value]:
        """Return the arguments as their types have them."""
        node, definition = self.nodes[0], self.definition
        if not (definition.args or node.arguments):
            return {}
        return get_argument_values(
            definition, node, execution.variables, None, execution.hide_suggestions
        )


class Selection:
    """What is selected of an object type; planned when the first object is there."""

    __slots__ = ("by_attribute", "by_key", "count", "fields", "kind", "nodes", "plan")

    def __init__(self, plan: "Planner", kind: GraphQLObjectType, nodes: Sequence[Any]) -> None:
        self.plan = plan
        self.kind = kind
        self.nodes = nodes
        self.fields: list[Field] | None = None
        self.count = 0
        self.by_attribute: Complete = self._by_attribute
        """Returns the answer of an object whose type is among ATTRIBUTES."""
        self.by_key: Complete = self._by_key
        """Returns the answer of a dictionary."""

    def begun(self, execution: Execution) -> list[Field]:
        """Return the fields. Raises GraphQLError where a directive can't be read."""
        fields = self.fields
        if fields is None:
            fields = self.fields = self.plan.fields(self, execution)
        return fields

    def interpret(self, execution: Execution, source: Value, path: Path) -> dict[str, Value]:
        """Return the answer of any object, field by field."""
        answer: dict[str, Value] = {}
        for field in self.begun(execution):
            value = answer[field.name] = field.run(execution, source, path)
            if type(value) is Pending:
                value.container, value.key = answer, field.name
        return answer

    def _by_attribute(self, execution: Execution, source: Value, path: Path) -> dict[str, Value]:
        self.count += 1
        if self.count > MANY:
            self.by_attribute = self.plan.generate(self.begun(execution), keyed=False)
        return self.interpret(execution, source, path)

    def _by_key(self, execution: Execution, source: Value, path: Path) -> dict[str, Value]:
        self.count += 1
        if self.count > MANY:
            self.by_key = self.plan.generate(self.begun(execution), keyed=True)
        return self.interpret(execution, source, path)

    def run(self, execution: Execution, source: Value, path: Path) -> dict[str, Value]:
        """Return the answer of any object."""
        kind = type(source)
        if kind in ATTRIBUTES:
            return self.by_attribute(execution, source, path)  # type: ignore[no-any-return]
        if kind is dict:
            return self.by_key(execution, source, path)  # type: ignore[no-any-return]
        return self.interpret(execution, source, path)


class Planner:
    """What a selection is planned by."""

    def fields(self, selection: Selection, execution: Execution) -> list[Field]:
        """Return the fields that are selected of an object type."""
        raise NotImplementedError

    def generate(self, fields: Sequence[Field], *, keyed: bool) -> Complete:
        """Return what makes the answer of an object with attributes, or of a dictionary."""
        raise NotImplementedError


def execute(
    execution: Execution, selection: Selection, *, serially: bool
) -> ExecutionResult | Coroutine[Any, Any, ExecutionResult]:
    """Return the result of an operation, or what is to be awaited for it (section 6.2)."""
    try:
        try:
            fields = selection.begun(execution)
        except RecursionError:
            fields = None
        if fields is None:  # the error's context would keep all frames of the recursion
            raise GraphQLError(TOO_DEEP, execution.operation)  # noqa: TRY301
        if serially:
            data: dict[str, Value] = {}
            left: Iterator[Field] = iter(fields)
            _advance(execution, left, data)
        else:
            left = iter(())
            data = selection.interpret(execution, execution.root_value, None)
    except GraphQLError as error:
        return failed(execution, error)
    if execution.pending:
        return _finish(execution, data, left)
    return ExecutionResult(data, execution.errors or None)


def _advance(execution: Execution, left: Iterator[Field], data: dict[str, Value]) -> None:
    """Execute the next fields of a mutation up to one that waits."""
    for field in left:
        value = data[field.name] = field.run(execution, execution.root_value, None)
        if type(value) is Pending:
            value.container, value.key = data, field.name
        if execution.pending:
            break


async def _finish(
    execution: Execution, data: dict[str, Value], left: Iterator[Field]
) -> ExecutionResult:
    try:
        while execution.pending:
            await fill(execution.taken())
            _advance(execution, left, data)
    except GraphQLError as error:
        return failed(execution, error)
    return ExecutionResult(data, execution.errors or None)


def failed(execution: Execution, error: GraphQLError) -> ExecutionResult:
    """Return the result of an operation that is null as a whole."""
    execution.abandon(0)
    execution.add(error, ())
    return ExecutionResult(None, execution.errors)
