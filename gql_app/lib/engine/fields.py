"""Fields: how an object's fields are resolved (GraphQL section 6.4), and what is met on the way."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import isawaitable
from types import CoroutineType, GeneratorType, NoneType
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    ResponsePath,
    Undefined,
    get_argument_values,
    located_error,
)

from gql_app.lib.engine.execution import (
    Complete,
    Execution,
    Later,
    Path,
    Pending,
    Value,
    keys_of,
    real_path,
)

T = TypeVar("T")
Row = Sequence[Any]
"""The values of one row, in the order of its columns."""
WriteRows = Callable[[Sequence[Row]], list[Value]]
"""Returns a list's answer of its rows."""
MANY: Final = 32
"""Objects of a selection after which a function is generated for it."""
MAX_CACHED_COLUMNS: Final = 8
"""Kinds of rows for which a list's function is kept: an application reads one or two."""
IMMUTABLE: Final[frozenset[type]] = frozenset({str, int, float, bool, NoneType})
"""Types of arguments that may be handed to a resolver more than once."""
_BUILTIN: Final = IMMUTABLE | {bytes, list, tuple, dict, set, frozenset}
_HOOKS: Final = ("__getattr__", "__getattribute__", "__class__", "__await__", "__call__")
"""What makes a type answer otherwise than by its attributes."""
_ODD_BASES: Final = (BaseException, Mapping, CoroutineType, GeneratorType, type(Undefined))
_MAX_TYPES: Final = 4096
PLAIN: Final[set[type]] = set(_BUILTIN)
"""Types met so far whose values are no exceptions, and neither callable nor awaitable."""
ATTRIBUTES: Final[set[type]] = set()
"""Those whose attributes are a GraphQL object's fields; a Mapping's are not."""
_odd: Final[set[type]] = set()
"""Types met so far that must be looked at each time."""
_new = tuple.__new__


class LazyRows(Iterable[T]):
    """A list of GraphQL objects that are built only when they are looked at.

    To graphql-core it is a list. The compiled path writes the answer of the rows themselves,
    and builds no object at all.
    """

    def __init__(
        self, columns: Sequence[str], values: Sequence[Row], build: Callable[[Row], T]
    ) -> None:
        self.columns: Final = columns
        """Python's names of the fields that were read; no others of an object are looked at."""
        self.values: Final = values
        self._build = build

    def __iter__(self) -> Iterator[T]:
        """Return the objects, each built when its turn comes."""
        return map(self._build, self.values)


def is_awaited(execution: Execution, value: Value) -> bool:
    """Return whether a value is to be awaited whose type isn't PLAIN; learn what its type is."""
    kind = type(value)
    if kind not in _odd:
        if len(PLAIN) + len(_odd) > _MAX_TYPES:
            for types in (PLAIN, ATTRIBUTES, _odd):
                types.clear()
            PLAIN.update(_BUILTIN)
        ours = [base for base in kind.__mro__ if base not in _BUILTIN and base is not object]
        if issubclass(kind, _ODD_BASES) or any(h in vars(base) for base in ours for h in _HOOKS):
            _odd.add(kind)
        else:
            PLAIN.add(kind)
            ATTRIBUTES.add(kind)
    return execution.is_awaitable(value)


class Position:
    """A place in the answer that may fail by itself: a field, or an item of a list."""

    __slots__ = ("complete", "exact", "label", "nodes", "nullable", "suspends")

    complete: Complete
    exact: type | None
    """The type whose values are complete as they are."""
    nullable: bool

    def __init__(self, nodes: list[FieldNode], label: str) -> None:
        """Take what selects it, and the name of its field with its type's."""
        self.nodes = nodes
        self.label = label
        self.suspends: bool | None = None
        """Whether what is awaited here was ever not there at once; None if nobody knows yet."""

    def settle(self, execution: Execution, value: Value, path: Path) -> Value:
        """Return a value, complete, or a Pending; null where it fails, if it may be null."""
        mark = len(execution.pending)
        try:
            if type(value) not in PLAIN and is_awaited(execution, value):
                return execution.wait(self, value, path)
            done = self.complete(execution, value, path)
            if done is None and not self.nullable:
                self.refuse_null()
            if type(done) is Later:
                return execution.wait_for(self, done.awaitable, path)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            execution.abandon(mark)
            return self.fail(execution, error, path)
        if self.nullable and len(execution.pending) > mark:
            return execution.enclose(self, done, path, mark)
        return done

    def refuse_null(self) -> None:
        """Raise TypeError, for null may not be here."""
        message = f"Cannot return null for non-nullable field {self.label}."
        raise TypeError(message)

    def fail(self, execution: Execution, error: Exception, path: Path) -> Value:
        """Add an error where null may be; raise it, located, where it is the parent's."""
        keys = keys_of(path)
        located = located_error(error, self.nodes, keys)
        if execution.propagates and not self.nullable:
            raise located
        execution.add(located, keys)
        return None


class Call:
    """How a field's resolver is called, the same for all objects of one execution."""

    __slots__ = ("after", "arguments", "before", "info", "resolve")

    def __init__(
        self, resolve: Callable[..., Value], info: GraphQLResolveInfo[Any], arguments: Value
    ) -> None:
        self.resolve = resolve
        self.info = type(info)
        self.before, self.after = info[:4], info[5:]
        self.arguments = arguments
        """None where they are coerced anew for each call."""


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

    run: Complete
    """Returns the field of an object at a path, complete."""

    def __init__(
        self, name: str, nodes: list[FieldNode], definition: GraphQLField, parent: GraphQLObjectType
    ) -> None:
        super().__init__(nodes, f"{parent.name}.{nodes[0].name.value}")
        self.name = name
        self.definition = definition
        self.parent = parent
        self.typename = parent.name
        self.resolve: Callable[..., Value] | None = None
        """What is called instead of the definition's resolver."""
        self.attribute = ""
        """The attribute, or the key, that the field is, if no resolver is called."""
        self.strict = False
        """Whether it is nothing but an attribute, which must be there."""

    def constant(self, _execution: Execution, _source: Value, _path: Path) -> Value:
        """Return the type's name."""
        return self.typename

    def read(self, execution: Execution, source: Value, path: Path) -> Value:
        """Return the attribute or the item that the field is, complete."""
        name = self.attribute
        try:
            if self.strict:
                value = getattr(source, name)
            elif type(source) not in ATTRIBUTES and isinstance(source, Mapping):
                value = source.get(name)
            else:
                value = getattr(source, name, None)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            return self.lost(execution, error, path)
        return value if type(value) is self.exact else self.fetched(execution, value, path)

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
                resolve, info, arguments = self._prepare(execution, here)
                value = resolve(source, info, **arguments)
            else:
                arguments = call.arguments
                if arguments is None:
                    arguments = self._coerced(execution)
                info = _new(call.info, (*call.before, here, *call.after))
                value = call.resolve(source, info, **arguments)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            return self.fail(execution, error, here)
        return value if type(value) is self.exact else self.settle(execution, value, here)

    def _prepare(
        self, execution: Execution, path: ResponsePath
    ) -> tuple[Callable[..., Value], GraphQLResolveInfo[Any], dict[str, Value]]:
        """Return the resolver and what it is given first; keep that for the other objects."""
        resolve = self.resolve or self.definition.resolve or execution.field_resolver
        if execution.middleware:
            resolve = execution.middleware(resolve)
        info = execution.build_info(self.definition, self.nodes, self.parent, path)
        arguments = execution.arguments.get(self)
        if arguments is None:
            arguments = self._coerced(execution)
            if IMMUTABLE.issuperset(map(type, arguments.values())):
                execution.arguments[self] = arguments
        if path.prev is not None:
            again = execution.arguments.get(self)
            execution.calls[self] = Call(resolve, info, again)
        return resolve, info, arguments

    def _coerced(self, execution: Execution) -> dict[str, Value]:
        """Return the arguments as their types have them."""
        node, definition = self.nodes[0], self.definition
        if not (definition.args or node.arguments):
            return {}
        hidden = execution.hide_suggestions
        return get_argument_values(definition, node, execution.variables, None, hidden)


class Unwrapped(NamedTuple):
    """A resolver of a library that hands it an info of its own, called without its wrapping."""

    function: Callable[..., Value]
    checks: Sequence[Callable[..., Value]]
    """What must agree beforehand."""
    names: Mapping[str, str]
    """Python's names of the arguments, by GraphQL's."""
    plain: frozenset[str]
    """The arguments that the library hands on as they are; of the others it does so with null."""
    info_name: str
    info_class: Callable[..., Value]
    field: Value
    otherwise: Callable[..., Value]
    """Resolves the field through the library: where that makes something else of an argument, and
    where a check refuses without raising, which few do."""

    def call(self, source: Value, info: Value, **arguments: Value) -> Value:
        """Return what the function returns."""
        if any(value is not None and name not in self.plain for name, value in arguments.items()):
            return self.otherwise(source, info, **arguments)
        named = {self.names[name]: value for name, value in arguments.items()}
        named[self.info_name] = self.info_class(info, self.field)
        return self.function(source, **named)

    async def call_if_checked(self, source: Value, info: Value, **arguments: Value) -> Value:
        """Return what the function returns, once all checks agree."""
        if all(value is None or name in self.plain for name, value in arguments.items()):
            ours = self.info_class(info, self.field)
            named = {self.names[name]: value for name, value in arguments.items()}
            for check in self.checks:
                answer: Value = check(source, ours, **named)
                if (await answer if isawaitable(answer) else answer) is not True:
                    break
            else:
                named[self.info_name] = ours
                return await self.function(source, **named)
        value = self.otherwise(source, info, **arguments)
        return await value if isawaitable(value) else value


class Planner(Protocol):
    """What a selection is planned by."""

    def fields(self, selection: "Selection", execution: Execution) -> list[Field]:
        """Return the fields that are selected of an object type. Raises GraphQLError."""

    def generate(self, fields: Sequence[Field], *, keyed: bool) -> Complete:
        """Return what makes the answer of an object with attributes, or of a dictionary."""

    def generate_rows(self, fields: Sequence[Field], columns: Sequence[str]) -> WriteRows | None:
        """Return what makes the answer of rows of these columns, if they are all that it takes."""


class Selection:
    """What is selected of an object type; planned when the first object is there."""

    __slots__ = ("by_attribute", "by_key", "count", "fields", "kind", "nodes", "plan", "writers")

    def __init__(self, plan: Planner, kind: GraphQLObjectType, nodes: Sequence[Any]) -> None:
        self.plan = plan
        self.kind = kind
        self.nodes = nodes
        self.fields: list[Field] | None = None
        self.count = 0
        self.by_attribute: Complete = self._by_attribute
        """Returns the answer of an object whose type is among ATTRIBUTES."""
        self.by_key: Complete = self._by_key
        """Returns the answer of a dictionary."""
        self.writers: dict[tuple[str, ...], WriteRows | None] = {}

    def begun(self, execution: Execution) -> list[Field]:
        """Return the fields. Raises GraphQLError where a directive can't be read."""
        if self.fields is None:
            self.fields = self.plan.fields(self, execution)
        return self.fields

    def interpret(self, execution: Execution, source: Value, path: Path) -> dict[str, Value]:
        """Return the answer of any object, field by field."""
        answer: dict[str, Value] = {}
        for field in self.begun(execution):
            value = answer[field.name] = field.run(execution, source, path)
            if type(value) is Pending:
                value.container, value.key = answer, field.name
        return answer

    def run(self, execution: Execution, source: Value, path: Path) -> Value:
        """Return the answer of any object, by a function of its own once there were many."""
        kind = type(source)
        if kind in ATTRIBUTES:
            return self.by_attribute(execution, source, path)
        if kind is dict:
            return self.by_key(execution, source, path)
        return self.interpret(execution, source, path)

    def write(self, execution: Execution, rows: "LazyRows[Any]") -> list[Value] | None:
        """Return the answer of rows; None if objects must be built of them."""
        columns = tuple(rows.columns)
        if columns not in self.writers:
            if len(self.writers) >= MAX_CACHED_COLUMNS:
                self.writers.clear()
            self.writers[columns] = self.plan.generate_rows(self.begun(execution), columns)
        write = self.writers[columns]
        return write(rows.values) if write else None

    def _by_attribute(self, execution: Execution, source: Value, path: Path) -> Value:
        self.count += 1
        if self.count > MANY:
            self.by_attribute = self.plan.generate(self.begun(execution), keyed=False)
        return self.interpret(execution, source, path)

    def _by_key(self, execution: Execution, source: Value, path: Path) -> Value:
        self.count += 1
        if self.count > MANY:
            self.by_key = self.plan.generate(self.begun(execution), keyed=True)
        return self.interpret(execution, source, path)
