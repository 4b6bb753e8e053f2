"""Fields: how an object's fields are resolved (GraphQL section 6.4), and what is met on the way."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import isawaitable
from types import CoroutineType, GeneratorType, NoneType
from typing import Any, Final, NamedTuple, TypeVar

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
    Value,
    keys_of,
    real_path,
)

T = TypeVar("T")
Row = Sequence[Any]
"""The values of one row, in the order of its columns."""
WriteRows = Callable[[Sequence[Row]], list[Value]]
"""Returns a list's answer of its rows."""
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


class Call(NamedTuple):
    """How a field's resolver is called, the same for all objects of one execution."""

    resolve: Callable[..., Value]
    info_class: type
    before: tuple[Value, ...]
    """What its info has before the path."""
    after: tuple[Value, ...]
    arguments: dict[str, Value] | None
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
                resolve, info_class, before, after, arguments = call
                if arguments is None:
                    arguments = self._coerced(execution)
                info = _new(info_class, (*before, here, *after))
                value = resolve(source, info, **arguments)
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
            execution.calls[self] = Call(resolve, type(info), info[:4], info[5:], again)
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
        named = self._named(arguments) if arguments else {}
        if named is None:
            return self.otherwise(source, info, **arguments)
        named[self.info_name] = self.info_class(info, self.field)
        return self.function(source, **named)

    async def call_if_checked(self, source: Value, info: Value, **arguments: Value) -> Value:
        """Return what the function returns, once all checks agree."""
        named = self._named(arguments)
        if named is not None:
            ours = self.info_class(info, self.field)
            for check in self.checks:
                answer: Value = check(source, ours, **named)
                if (await answer if isawaitable(answer) else answer) is not True:
                    break
            else:
                named[self.info_name] = ours
                return await self.function(source, **named)
        value = self.otherwise(source, info, **arguments)
        return await value if isawaitable(value) else value

    def _named(self, arguments: dict[str, Value]) -> dict[str, Value] | None:
        """Return arguments by Python's names; None if the library makes something else of one."""
        for name, value in arguments.items():
            if value is not None and name not in self.plain:
                return None
        return {self.names[name]: value for name, value in arguments.items()}
