"""Strawberry: its schema, how fields are resolved without its wrapping, and what is selected."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

import strawberry
from graphql import (
    DirectiveLocation,
    FieldNode,
    GraphQLBoolean,
    GraphQLDeprecatedDirective,
    GraphQLDirective,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    get_nullable_type,
    introspection_types,
    is_input_object_type,
    is_object_type,
    is_union_type,
)
from strawberry.permission import PermissionExtension
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.base import StrawberryMaybe, StrawberryOptional
from strawberry.types.field import StrawberryField

from gql_app.lib.engine.documents import ExecutionContext, fields_of
from gql_app.lib.engine.execution import Execution, Info
from gql_app.lib.engine.fields import Resolver, unwrapped
from gql_app.lib.engine.rows import Nested

C = TypeVar("C", bound=ExecutionContext)
T = TypeVar("T")
MAX_CACHED: Final = 32
"""The most results of cached_per_document() that are kept for a document."""
NESTED: Final = "nested"
"""The key of a field's metadata with a Nested, if it has one."""
_IS_ONE_OF: Final = GraphQLField(
    GraphQLBoolean, resolve=lambda kind, _: kind.is_one_of if is_input_object_type(kind) else None
)
"""The field of __Type (GraphQL section 4.2)."""
_NEWEST: Final = DirectiveLocation.DIRECTIVE_DEFINITION
_DEPRECATED: Final = GraphQLDirective(
    GraphQLDeprecatedDirective.name,
    [each for each in GraphQLDeprecatedDirective.locations if each is not _NEWEST],
    GraphQLDeprecatedDirective.args,
    description=GraphQLDeprecatedDirective.description,
)
"""@deprecated of September 2025: an unknown location breaks clients with graphql-core 3.2.10."""


class Schema(strawberry.Schema):
    """A Strawberry schema, for the engine."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 — Strawberry's own
        """Build it; graphql-core is told which input types are OneOf, as Strawberry does not."""
        super().__init__(*args, **options)
        self.config.info_class = Info
        for each in filter(is_input_object_type, self._schema.type_map.values()):
            found = (getattr(known, "is_one_of", False) for known in each.extensions.values())
            each.is_one_of = each.is_one_of or any(found)
        self._schema.directives = tuple(
            _DEPRECATED if each is GraphQLDeprecatedDirective else each
            for each in self._schema.directives
        )

    @property
    def core(self) -> GraphQLSchema:
        """graphql-core's schema, for validation and execution.

        Each new Strawberry schema gives isOneOf another resolver in the whole process, and that
        one fails on lists and non-null types (0.341). Here it gets a correct one again.
        """
        introspected = introspection_types["__Type"]
        assert is_object_type(introspected)  # noqa: S101 — for mypy: GraphQL section 4.2
        introspected.fields["isOneOf"] = _IS_ONE_OF
        return self._schema


def schema_of(info: strawberry.Info[Any, Any]) -> Schema:
    """Return the schema that an operation is executed by: the engine executes by no other."""
    assert isinstance(info.schema, Schema)  # noqa: S101 — for mypy
    return info.schema


class StrawberryExecutor(Execution, StrawberryGraphQLCoreExecutionContext):
    """Executes operations of any of Strawberry's schemas."""


def simplified(
    schema: strawberry.Schema, definition: GraphQLField
) -> tuple[str | None, Resolver | None, Nested | None]:
    """Return the attribute that a field reads, or a resolver if Strawberry only checks permissions.

    Without it a page of 50 takes 1.15 times as long.
    """
    field, fallback = _field(definition), definition.resolve
    if field is None or fallback is None:
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
        return None, None if field.arguments else (lambda source, _: function(source)), None
    arguments = list(zip(definition.args, field.arguments, strict=True))
    call = unwrapped(
        function,
        fallback,
        [p.has_permission for e in extensions for p in e.permissions],  # type: ignore[attr-defined]
        {name: str(each.python_name) for name, each in arguments},
        frozenset(name for name, each in arguments if _is_plain(each.type)),
        resolver.info_parameter.name,
        schema.config.info_class,
        field,
    )
    return None, call, None if extensions else field.metadata.get(NESTED)


def _field(definition: GraphQLField) -> StrawberryField | None:
    """Return Strawberry's definition of a field that it resolves, None for unions.

    Where exceptions become members of a union, Strawberry must catch them.
    """
    resolved_by = getattr(definition.resolve, "__module__", "")
    if not resolved_by.startswith("strawberry.") or is_union_type(
        get_nullable_type(definition.type)
    ):
        return None
    found = _strawberry_field(definition)
    return found if found and type(found).get_result is StrawberryField.get_result else None


def _strawberry_field(definition: GraphQLField) -> StrawberryField | None:
    """Return Strawberry's definition of a field; None for GraphQL's own fields."""
    found = (each for each in definition.extensions.values() if isinstance(each, StrawberryField))
    return next(found, None)


def _is_plain(kind: object) -> bool:
    """Return whether Strawberry passes an argument of a type on unchanged."""
    inner = kind.of_type if isinstance(kind, StrawberryOptional) else kind
    return any(inner is each for each in (str, int, bool, float, strawberry.ID))


def cached_per_document(
    info: strawberry.Info[C, Any], work: Callable[[strawberry.Info[C, Any]], T]
) -> T:
    """Return the result of `work` for a root field's selections, cached with the document.

    It may depend on nothing else: all clients that send the document share the result.
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

    The path is of Python's names, too. Fields that a directive may skip count as selected. A field
    with a Nested has the name of its column.
    """
    schema, fragments = schema_of(info), info.context.document.fragments
    kind: GraphQLNamedType | None = schema.core.get_root_type(info.operation.operation)
    nodes: Sequence[OperationDefinitionNode | FieldNode] = [info.operation]
    answered = [key for key in info.path.as_list() if isinstance(key, str)]
    found: dict[str, tuple[GraphQLNamedType, list[FieldNode]]] = {}
    for depth, step in enumerate((*answered, *path, None)):
        found = {}
        if not is_object_type(kind):
            break
        for node in fields_of(nodes, fragments):
            definition = schema.core.get_field(kind, node.name.value)
            if definition and (field := _strawberry_field(definition)):
                nested = field.metadata.get(NESTED)
                name = nested.column if nested else field.python_name
                name = name if depth >= len(answered) else (node.alias or node.name).value
                found.setdefault(name, (get_named_type(definition.type), []))[1].append(node)
        kind, nodes = found.get(step or "", (None, []))
    return frozenset(found)
