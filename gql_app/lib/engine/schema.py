"""Strawberry: its schema, how fields are resolved without its wrapping, and what is selected."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Final, TypeVar, cast

import strawberry
from graphql import (
    FieldNode,
    GraphQLBoolean,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    get_named_type,
    get_nullable_type,
    introspection_types,
    is_input_object_type,
    is_object_type,
    is_union_type,
)
from strawberry.execution import optimized_is_awaitable
from strawberry.permission import PermissionExtension
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.base import StrawberryMaybe, StrawberryOptional
from strawberry.types.field import StrawberryField

from gql_app.lib.engine.complexity import Fragments
from gql_app.lib.engine.documents import ExecutionContext
from gql_app.lib.engine.executor import CompiledExecutor, Resolver, Simplify
from gql_app.lib.engine.fields import Unwrapped
from gql_app.lib.engine.rows import Nested

C = TypeVar("C", bound=ExecutionContext)
T = TypeVar("T")
MAX_CACHED: Final = 32
"""Results that are kept of one document, which may have more fields than that."""
NESTED: Final = "nested"
"""The key of a field's metadata with a Nested, if it has one; its info is Strawberry's."""
_IS_ONE_OF: Final = GraphQLField(
    GraphQLBoolean, resolve=lambda kind, _: kind.is_one_of if is_input_object_type(kind) else None
)
"""The field of __Type (GraphQL section 4.2)."""


class Schema(strawberry.Schema):
    """A schema that the engine executes documents by."""

    @cached_property
    def known_fields(self) -> dict[tuple[str, str], StrawberryField | None]:
        """Strawberry's definitions of fields, by their types' names and theirs."""
        return {}

    @property
    def core(self) -> GraphQLSchema:
        """The schema that graphql-core validates and executes by.

        Whoever makes a schema of Strawberry's gives isOneOf another resolver in all of a process,
        and that one fails on lists and non-null types (0.341). Here it has its own again.
        """
        introspected = introspection_types["__Type"]
        assert is_object_type(introspected)  # noqa: S101 — for mypy: GraphQL section 4.2
        introspected.fields["isOneOf"] = _IS_ONE_OF
        return self._schema

    def field(self, type_name: str, name: str) -> StrawberryField | None:
        """Return Strawberry's definition of a field; None for introspection's.

        Each is kept, or else a new document takes 1.04 to 1.08 times as long: names are spelt
        each time.
        """
        known, key = self.known_fields, (type_name, name)
        if key not in known:
            known[key] = self.get_field_for_type(name, type_name)
        return known[key]


class StrawberryExecutor(CompiledExecutor, StrawberryGraphQLCoreExecutionContext):
    """Executes operations of any of Strawberry's schemas."""

    awaitables = CompiledExecutor.awaitables | {optimized_is_awaitable}

    @classmethod
    def simplify(cls, schema: GraphQLSchema) -> Simplify:
        """Return what tells which attribute a field is, or a resolver without wrapping."""
        for each in schema.extensions.values():
            if isinstance(each, strawberry.Schema):
                return partial(_simplified, each)
        return super().simplify(schema)


CompiledExecutor.of_strawberry = StrawberryExecutor


def _simplified(
    schema: strawberry.Schema, definition: GraphQLField
) -> tuple[str | None, Resolver | None, Nested | None]:
    """Return the attribute that a field is; or a resolver, if Strawberry only asks permissions.

    Without it a page of 50 takes 1.15 times as long.
    """
    field, otherwise = _field(definition), definition.resolve
    if field is None or otherwise is None:
        return None, None, None
    if field.is_basic_field:
        return (field.python_name if field.default_resolver is getattr else None), None, None
    resolver, extensions = field.base_resolver, field.extensions
    if (
        resolver is None
        or not resolver.self_parameter
        or resolver.parent_parameter
        or resolver.root_parameter
        or any(isinstance(each.type, StrawberryMaybe) for each in field.arguments)
        or not all(type(e) is PermissionExtension and not e.fail_silently for e in extensions)
        or (extensions and not (resolver.is_async and resolver.info_parameter))
    ):
        return None, None, None
    function: Any = resolver.wrapped_func
    if resolver.info_parameter is None:
        if field.arguments:
            return None, None, None
        return None, lambda source, _info: function(source), None
    arguments = list(zip(definition.args, field.arguments, strict=True))
    unwrapped = Unwrapped(
        function,
        [p.has_permission for e in extensions for p in e.permissions],  # type: ignore[attr-defined]
        {name: str(each.python_name) for name, each in arguments},
        frozenset(name for name, each in arguments if _is_plain(each.type)),
        resolver.info_parameter.name,
        schema.config.info_class,
        field,
        otherwise,
    )
    if extensions:
        return None, unwrapped.call_if_checked, None
    nested, info_class = field.metadata.get(NESTED), schema.config.info_class
    if nested:
        column, resolve = nested
        nested = Nested(column, lambda rows, info: resolve(rows, info_class(info, field)))
    return None, unwrapped.call, nested


def _field(definition: GraphQLField) -> StrawberryField | None:
    """Return Strawberry's definition of a field that it resolves, but for unions.

    Where exceptions become members of a union, Strawberry must see them.
    """
    resolved_by = getattr(definition.resolve, "__module__", "")
    if not resolved_by.startswith("strawberry.") or is_union_type(
        get_nullable_type(definition.type)
    ):
        return None
    for each in definition.extensions.values():
        if isinstance(each, StrawberryField):
            return each if type(each).get_result is StrawberryField.get_result else None
    return None


def _is_plain(kind: object) -> bool:
    """Return whether Strawberry hands an argument of a type on as it is."""
    inner = kind.of_type if isinstance(kind, StrawberryOptional) else kind
    return any(inner is each for each in (str, int, bool, float, strawberry.ID))


def cached_per_document(
    info: strawberry.Info[C, Any], work: Callable[[strawberry.Info[C, Any]], T]
) -> T:
    """Return what `work` makes of a root field's selections, worked out once for each document.

    It may depend on nothing else: the result is kept with the document, whoever sends it.
    Without it a page of 50 takes 1.09 to 1.13 times as long.
    """
    key = (work, id(info.operation), info.path)
    cache = info.context.document.selections
    if key not in cache:
        if len(cache) >= MAX_CACHED:
            cache.clear()
        cache[key] = work(info)
    return cast("T", cache[key])


def selected_fields(info: strawberry.Info[C, Any], *path: str) -> frozenset[str]:
    """Return Python's names of the fields selected at the end of a path below this field.

    The path is of Python's names, too. What a directive may leave out counts as selected. A field
    with a Nested has the name of its column.
    """
    schema, fragments = info.schema, info.context.document.fragments
    assert isinstance(schema, Schema)  # noqa: S101 — for mypy: the engine executes by no other
    kind: GraphQLNamedType | None = schema.core.get_root_type(info.operation.operation)
    nodes: Sequence[OperationDefinitionNode | FieldNode] = [info.operation]
    answered = [key for key in info.path.as_list() if isinstance(key, str)]
    for depth, step in enumerate((*answered, *path, None)):
        if not is_object_type(kind):
            break
        fields = _collect_fields(nodes, fragments)
        if depth >= len(answered):
            fields = _by_python_name(schema, kind.name, fields)
        if step is None:
            return frozenset(fields)
        nodes = selected = fields.get(step, [])
        definition = schema.core.get_field(kind, selected[0].name.value) if selected else None
        kind = get_named_type(definition.type) if definition else None
    return frozenset()


def _by_python_name(
    schema: Schema, type_name: str, fields: Mapping[str, list[FieldNode]]
) -> dict[str, list[FieldNode]]:
    """Return fields by Python's names; __typename has none."""
    named: dict[str, list[FieldNode]] = {}
    for nodes in fields.values():
        if field := schema.field(type_name, nodes[0].name.value):
            nested = field.metadata.get(NESTED)
            name = nested.column if nested else field.python_name
            named.setdefault(name, []).extend(nodes)
    return named


def _collect_fields(
    nodes: Iterable[OperationDefinitionNode | FieldNode], fragments: Fragments
) -> dict[str, list[FieldNode]]:
    """Return the fields selected of any of the nodes, by their names in the answer.

    A valid document has no type condition on an object type that doesn't hold.
    """
    fields: dict[str, list[FieldNode]] = {}
    spread: set[str] = set()
    waiting: list[Any] = list(nodes)
    while waiting:
        selected = waiting.pop().selection_set
        for node in selected.selections if selected else ():
            if isinstance(node, FieldNode):
                fields.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node)
            elif node.name.value in fragments and node.name.value not in spread:
                spread.add(node.name.value)
                waiting.append(fragments[node.name.value])
    return fields
