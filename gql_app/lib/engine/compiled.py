"""The compiled path: how an answer is put together, planned once for each document.

It runs the very resolvers and permissions that graphql-core would run, and answers the same to
the byte. Lists that come straight from the database become JSON-ready without an object or a
call for each of their rows. What it doesn't know, such as resolvers below the root, directives
and abstract types, graphql-core executes. To be without it, delete this file and what
execution.py says of it.
"""

import ast
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    located_error,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.executor import CollectedErrors, Executor
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from graphql.pyutils import Path, Undefined, gather_with_cancel, is_iterable
from graphql.type.definition import GraphQLResolveInfoHelpers
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.permission import BasePermission, PermissionExtension
from strawberry.types import Info as StrawberryInfo
from strawberry.types.field import StrawberryField

from gql_app.lib.engine.documents import Document
from gql_app.lib.pagination import LazyRows
from gql_app.schema.context import Context, Info

_AS_THEY_ARE: Final = {"String": str, "ID": str, "Boolean": bool}
"""What need not be coerced, if it is of this very type."""
_COLUMN_TYPES: Final = frozenset({"String", "ID", "Boolean", "DateTime"})
"""Types whose values the database answers as JSON is written."""
_PLAIN: Final = frozenset({int, str, bool, type(None)})
"""Types of arguments that Strawberry hands on as they are."""
_MOST_LATELY: Final = 8
"""Coerced variables that are kept of a document."""
_SMALL: Final = frozenset({int, bool, type(None), type(Undefined)})
"""Types of variables that weigh nothing."""
_MOST_ERRORS: Final = 50
"""How many errors of variables are told, as graphql-core has it."""
_NO_VARIABLES: Final = VariableValues({}, {})
_TYPE: Final = "__class__"
"""What every object has; it stands for __typename."""

Value = Any  # whatever a resolver answers, and whatever JSON is made of it
Complete = Callable[["_Run", Value, Path], Value]
"""Completes a value (GraphQL section 6.4.3)."""


class _Unknown(Exception):
    """Something that is not for this path."""


@dataclass(frozen=True, slots=True)
class _Resolver:
    """A resolver, the permissions that it asks, and nothing else around it."""

    field: StrawberryField
    function: Callable[..., Awaitable[Value]]
    permissions: Sequence[BasePermission]
    names: Mapping[str, str]
    """What Python calls the arguments."""

    @classmethod
    def of(cls, of: StrawberryField, definition: GraphQLField) -> "_Resolver | None":
        """Take it out of Strawberry's wrapping, unless there is more in that."""
        extensions, resolver = of.extensions, of.base_resolver
        if (
            not all(type(e) is PermissionExtension and not e.fail_silently for e in extensions)
            or resolver is None
            or not (resolver.is_async and resolver.self_parameter and resolver.info_parameter)
            or resolver.parent_parameter
            or resolver.root_parameter
        ):
            return None
        pythonic = [str(each.python_name) for each in of.arguments]
        names = dict(zip(definition.args, pythonic, strict=True))
        permissions = [p for e in extensions for p in e.permissions]  # type: ignore[attr-defined]
        function = cast("Callable[..., Awaitable[Value]]", resolver.wrapped_func)
        return cls(of, function, permissions, names)

    def named(self, arguments: Mapping[str, Value]) -> Mapping[str, Value] | None:
        """Name arguments as Python does; None if Strawberry makes something else of any."""
        if not _PLAIN.issuperset(map(type, arguments.values())):
            return None
        return {self.names[name]: value for name, value in arguments.items()}


@dataclass(slots=True, eq=False)
class _Field:
    """A field of the answer."""

    key: str
    nodes: list[FieldNode]
    definition: GraphQLField
    parent: GraphQLObjectType
    complete: Complete
    attribute: str | None
    """What is simply taken from the object; None where there is a resolver, at the root."""
    resolver: "_Resolver | None" = None
    """The resolver, where it can do without what Strawberry wraps it in."""
    here: Path = field(init=False)
    """Where it is in the answer, at the root."""

    def __post_init__(self) -> None:
        self.here = Path(None, self.key, self.parent.name)

    def read(self, run: "_Run", source: Value, path: Path | None) -> Value:
        """Take an attribute and complete it."""
        here = Path(path, self.key, self.parent.name)
        try:
            return self.complete(run, getattr(source, str(self.attribute)), here)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            return run.fail(error, self.nodes, self.definition.type, here)

    def begin(self, run: "_Run") -> Coroutine[Any, Any, Value]:
        """Coerce the arguments of a field at the root; then its resolver may run beside others."""
        arguments = run.given.arguments.get(self.key)
        if arguments is None:
            try:
                arguments = run.given.arguments[self.key] = self._coerced(run)
            except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
                run.fail(error, self.nodes, self.definition.type, self.here)
                return _nothing()
        return self._resolve(run, arguments)

    def _coerced(self, run: "_Run") -> "_Arguments":
        values = get_argument_values(
            self.definition, self.nodes[0], run.given.variables, None, run.plan.hide_suggestions
        )
        return _Arguments(values, self.resolver.named(values) if self.resolver else None)

    async def _resolve(self, run: "_Run", arguments: "_Arguments") -> Value:
        """Run the resolver, and complete what it answers."""
        try:
            if self.attribute is not None:
                return self.complete(run, None, self.here)
            value = await self._ask(run.info(self), arguments)
            return self.complete(run, value, self.here)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            return run.fail(error, self.nodes, self.definition.type, self.here)

    async def _ask(self, info: GraphQLResolveInfo[Context], arguments: "_Arguments") -> Value:
        """Run the resolver if all permissions agree, most of which refuse by themselves.

        It goes through Strawberry where it isn't plain.
        """
        plain, named = self.resolver, arguments.named
        if plain is not None and named is not None:
            told: Info = StrawberryInfo(_raw_info=info, _field=plain.field)
            for permission in plain.permissions:
                agrees: Value = permission.has_permission(None, told, **named)
                if (await agrees if optimized_is_awaitable(agrees) else agrees) is not True:
                    break
            else:
                return await plain.function(None, told, **named)
        assert self.definition.resolve is not None  # noqa: S101 — Strawberry gives each one
        value = self.definition.resolve(None, info, **arguments.values)
        return await value if optimized_is_awaitable(value) else value


class _Arguments(NamedTuple):
    """The arguments of a field at the root."""

    values: dict[str, Value]
    """As graphql-core coerces them."""
    named: Mapping[str, Value] | None
    """As the resolver takes them; None where Strawberry makes something else of any."""


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What variables are given, and what they make of each root field's arguments."""

    variables: VariableValues
    arguments: dict[str, _Arguments] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Run:
    """One execution of a plan."""

    plan: "Plan"
    context: Context
    given: _Given
    errors: CollectedErrors = field(default_factory=CollectedErrors)

    def info(self, of: _Field) -> GraphQLResolveInfo[Context]:
        """Tell a resolver what graphql-core would tell it."""
        plan = self.plan
        return GraphQLResolveInfo(
            of.nodes[0].name.value,
            of.nodes,
            of.definition.type,
            of.parent,
            of.here,
            plan.schema,
            plan.fragments,
            None,
            plan.operation,
            self.given.variables,
            self.context,
            optimized_is_awaitable,  # type: ignore[arg-type]  # a guard but in name
            None,
            _HELPERS,
        )

    def fail(
        self, error: Exception, nodes: list[FieldNode], kind: GraphQLOutputType, path: Path
    ) -> None:
        """Locate an error; where null isn't allowed, it is the parent's (GraphQL section 6.4.4)."""
        located = located_error(error, nodes, path.as_list())
        if is_non_null_type(kind):
            raise located
        self.errors.add(located, path)


class Plan:
    """How one operation is executed."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: Document,
        operation: OperationDefinitionNode,
        *,
        hide_suggestions: bool,
    ) -> None:
        self.schema: Final = schema
        self.operation: Final = operation
        self.hide_suggestions: Final = hide_suggestions
        self.fragments: Final = {node.name.value: node for node in document.fragments}
        self._details = {name: FragmentDetails(node) for name, node in self.fragments.items()}
        root = schema.get_root_type(operation.operation)
        if document.directives or root is None:
            raise _Unknown
        collected = collect_fields(schema, self._details, _NO_VARIABLES, root, operation)
        self._alone = len(collected.grouped_field_set) == 1
        if operation.operation is OperationType.MUTATION and not self._alone:
            raise _Unknown  # they would have to be run one after the other
        definitions = operation.variable_definitions or ()
        self._declared = [each.variable.name.value for each in definitions]
        self._constant = _Given(_NO_VARIABLES)
        self._lately: dict[Hashable, _Given] = {}
        self._root = self._fields(root, collected.grouped_field_set, at_root=True)

    async def run(self, context: Context, variables: dict[str, Value]) -> ExecutionResult:
        """Execute it, as GraphQL section 6 has it."""
        given = self._given(variables)
        if isinstance(given, list):
            return ExecutionResult(None, given)
        run = _Run(self, context, given)
        data: dict[str, Value] | None
        try:
            values = await _together([each.begin(run) for each in self._root])
            data = {each.key: value for each, value in zip(self._root, values, strict=True)}
        except GraphQLError as error:
            run.errors.add(error, None)
            data = None
        return ExecutionResult(data, run.errors.errors or None)

    def _given(self, variables: dict[str, Value]) -> _Given | list[GraphQLError]:
        """Coerce the variables, unless the very same were given lately."""
        if not self._declared:
            return self._constant
        values = [variables.get(name, Undefined) for name in self._declared]
        kinds = list(map(type, values))
        if not _SMALL.issuperset(kinds):
            return self._coerced(variables)
        key = (*values, *kinds)  # for True is 1
        if key in self._lately:
            return self._lately[key]
        given = self._coerced(variables)
        if isinstance(given, _Given):
            if len(self._lately) >= _MOST_LATELY:
                self._lately.clear()
            self._lately[key] = given
        return given

    def _coerced(self, variables: dict[str, Value]) -> _Given | list[GraphQLError]:
        coerced = get_variable_values(
            self.schema,
            self.operation.variable_definitions or (),
            variables,
            max_errors=_MOST_ERRORS,
            hide_suggestions=self.hide_suggestions,
        )
        return coerced if isinstance(coerced, list) else _Given(coerced)

    def _fields(
        self, parent: GraphQLObjectType, grouped: GroupedFieldSet, *, at_root: bool = False
    ) -> list[_Field]:
        return [
            self._field(parent, key, details, at_root=at_root) for key, details in grouped.items()
        ]

    def _field(
        self, parent: GraphQLObjectType, key: str, details: list[FieldDetails], *, at_root: bool
    ) -> _Field:
        nodes = [each.node for each in details]
        name = nodes[0].name.value
        definition = self.schema.get_field(parent, name)
        if definition is None or (
            at_root and not self._alone and definition.args and is_non_null_type(definition.type)
        ):
            raise _Unknown  # the latter's arguments, if they are wrong, void what others begin
        if name == "__typename":
            return _Field(key, nodes, definition, parent, lambda *_: parent.name, _TYPE)
        strawberry_field = definition.extensions.get("strawberry-definition")
        plain = getattr(definition.resolve, "_is_default", False)
        if not isinstance(strawberry_field, StrawberryField) or plain == at_root:
            raise _Unknown
        complete = self._complete(definition.type, parent, details)
        if plain:
            return _Field(key, nodes, definition, parent, complete, strawberry_field.python_name)
        resolver = _Resolver.of(strawberry_field, definition)
        return _Field(key, nodes, definition, parent, complete, None, resolver)

    def _complete(
        self, kind: GraphQLOutputType, parent: GraphQLObjectType, details: list[FieldDetails]
    ) -> Complete:
        """Plan a type from the outside in."""
        if is_non_null_type(kind):
            inner = self._complete(kind.of_type, parent, details)
            return _required(inner, f"{parent}.{details[0].node.name.value}")
        if is_list_type(kind):
            inner = self._complete(kind.of_type, parent, details)
            fields = self._below(get_named_type(kind), details)
            return _list(inner, kind.of_type, [each.node for each in details], fields)
        if is_leaf_type(kind):
            return _leaf(kind)
        return _object(self._below(kind, details))

    def _below(self, kind: object, details: list[FieldDetails]) -> list[_Field]:
        """Plan what is asked of an object, which is of the type that its resolver says."""
        if is_leaf_type(kind):
            return []
        if not is_object_type(kind):
            raise _Unknown
        collected = collect_subfields(
            self.schema, self._details, _NO_VARIABLES, self.operation, kind, details
        )
        return self._fields(kind, collected.grouped_field_set)


def compiled(
    schema: GraphQLSchema,
    document: Document,
    operation: OperationDefinitionNode,
    *,
    hide_suggestions: bool,
) -> Plan | None:
    """Plan an operation that is valid, or answer None if it is not for this path."""
    try:
        return Plan(schema, document, operation, hide_suggestions=hide_suggestions)
    except _Unknown:
        return None


def _leaf(kind: GraphQLLeafType) -> Complete:
    ready = _AS_THEY_ARE.get(kind.name)

    def complete(_run: _Run, value: Value, _path: Path) -> Value:
        if type(value) is ready:
            return value
        return None if value is None else Executor.complete_leaf_value(kind, value)

    return complete


def _required(inner: Complete, name: str) -> Complete:
    def complete(run: _Run, value: Value, path: Path) -> Value:
        completed = inner(run, value, path)
        if completed is None:
            message = f"Cannot return null for non-nullable field {name}."
            raise TypeError(message)
        return completed

    return complete


def _list(
    inner: Complete, item: GraphQLOutputType, nodes: list[FieldNode], fields: Sequence[_Field]
) -> Complete:
    project = _Projection(fields) if _are_columns(fields) else None

    def one(run: _Run, value: Value, here: Path) -> Value:
        try:
            return inner(run, value, here)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this item's
            return run.fail(error, nodes, item, here)

    def complete(run: _Run, values: Value, path: Path) -> Value:
        if values is None:
            return None
        if project and type(values) is LazyRows and project.knows(values):
            return project(values)
        if not is_iterable(values):
            name = f"{path.typename}.{nodes[0].name.value}"
            message = f"Expected Iterable, but did not find one for field '{name}'."
            raise GraphQLError(message)
        return [one(run, value, path.add_key(index)) for index, value in enumerate(values)]

    return complete


def _object(fields: Sequence[_Field]) -> Complete:
    def complete(run: _Run, source: Value, path: Path) -> Value:
        return source and {each.key: each.read(run, source, path) for each in fields}

    return complete


async def _nothing() -> None:
    """Answer null."""


async def _together(waiting: list[Coroutine[Any, Any, Value]]) -> list[Value]:
    """Wait for all at once; one alone needs no task of its own."""
    return [await waiting[0]] if len(waiting) == 1 else await gather_with_cancel(*waiting)


def _are_columns(fields: Sequence[_Field]) -> bool:
    """Tell whether all that is asked of an object may be columns of the database."""
    return bool(fields) and all(
        get_named_type(each.definition.type).name in _COLUMN_TYPES for each in fields
    )


class _Projection:
    """Rows of the database as the answer has them, by a function made for these columns."""

    def __init__(self, fields: Sequence[_Field]) -> None:
        self._fields = fields
        self._asked = {str(each.attribute) for each in fields}
        self._made: dict[Sequence[str], Callable[[Sequence[Value]], list[Value]]] = {}

    def knows(self, rows: LazyRows[Value]) -> bool:
        """Tell whether all that is asked for is a column."""
        return self._asked <= {*rows.columns, _TYPE}

    def __call__(self, rows: LazyRows[Value]) -> list[Value]:
        """Make the answer's objects."""
        make = self._made.get(rows.columns)
        if make is None:
            make = self._made[rows.columns] = self._make(rows.columns)
        return make(rows.values)

    def _make(self, columns: Sequence[str]) -> Callable[[Sequence[Value]], list[Value]]:
        """Write `lambda rows: [{"id": c0, "name": c1} for c0, c1 in rows]`.

        Nothing else that Python has is as fast; keys go into it as constants, not as text.
        """
        names = [f"c{index}" for index in range(len(columns))]
        values: list[ast.expr] = [
            ast.Constant(each.parent.name)
            if each.attribute == _TYPE
            else ast.Name(names[columns.index(str(each.attribute))], ast.Load())
            for each in self._fields
        ]
        row = ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())
        made = ast.ListComp(
            ast.Dict([ast.Constant(each.key) for each in self._fields], values),
            [ast.comprehension(row, ast.Name("rows", ast.Load()), [], 0)],
        )
        only = ast.arguments([], [ast.arg("rows")], None, [], [], None, [])
        tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(only, made)))
        function: Callable[[Sequence[Value]], list[Value]] = eval(  # noqa: S307 — of the tree above
            compile(tree, "<rows>", "eval"), {}
        )
        return function


_HELPERS: Final = GraphQLResolveInfoHelpers(
    gather=lambda values: gather_with_cancel(*values), track=lambda _values: None
)
