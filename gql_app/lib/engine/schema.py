"""Strawberry: its schema, and how its fields are resolved without its wrapping."""

from collections.abc import Mapping, Sequence
from typing import Any

import strawberry
from graphql import (
    GraphQLField,
    GraphQLSchema,
    get_nullable_type,
    introspection_types,
    is_object_type,
    is_union_type,
)
from strawberry.execution import optimized_is_awaitable
from strawberry.permission import BasePermission, PermissionExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.field import StrawberryField

from gql_app.lib.engine.executor import CompiledExecutor
from gql_app.lib.engine.fields import guarded
from gql_app.lib.engine.planning import Resolver


class Schema(strawberry.Schema):
    """A schema that the engine executes documents by."""

    def __init__(
        self,
        *,
        query: type,
        mutation: type | None = None,
        config: StrawberryConfig | None = None,
    ) -> None:
        """Build a schema of its root types."""
        # Strawberry replaces the resolver of isOneOf, and its own fails on lists and non-null
        # types (0.341). graphql-core's is right.
        introspected = introspection_types["__Type"]
        assert is_object_type(introspected)  # noqa: S101 — for mypy: GraphQL section 4.2
        is_one_of = introspected.fields["isOneOf"]
        super().__init__(query=query, mutation=mutation, config=config)
        introspected.fields["isOneOf"] = is_one_of
        self._simplified: dict[int, tuple[str | None, Resolver | None]] = {}
        self._known_fields: dict[tuple[str, str], StrawberryField | None] = {}

    @property
    def core(self) -> GraphQLSchema:
        """The schema that graphql-core validates and executes by."""
        return self._schema

    def field(self, type_name: str, name: str) -> StrawberryField | None:
        """Return Strawberry's definition of a field; None for introspection's.

        Each is kept, or else a new document takes 1.04 times as long: names are spelt each time.
        """
        known, key = self._known_fields, (type_name, name)
        if key not in known:
            known[key] = self.get_field_for_type(name, type_name)
        return known[key]

    def simplify(self, definition: GraphQLField) -> tuple[str | None, Resolver | None]:
        """Return the attribute that a field is, or a resolver without Strawberry's wrapping.

        Without it a page of 50 takes 1.15 times as long. It is worked out once for each field.
        """
        known, key = self._simplified, id(definition)  # which the schema holds
        if key not in known:
            known[key] = attribute(definition)
            field = _field(definition)
            if known[key] == (None, None) and field and self.config.info_class is strawberry.Info:
                known[key] = None, _direct_resolver(field, definition)
        return known[key]


class StrawberryExecutor(CompiledExecutor, StrawberryGraphQLCoreExecutionContext):
    """Executes operations of any of Strawberry's schemas."""

    awaitables = CompiledExecutor.awaitables | {optimized_is_awaitable}

    @staticmethod
    def simplify(definition: GraphQLField) -> tuple[str | None, Resolver | None]:
        """Return the attribute that a field of Strawberry's is."""
        return attribute(definition)


CompiledExecutor.of_strawberry = StrawberryExecutor


def attribute(definition: GraphQLField) -> tuple[str | None, Resolver | None]:
    """Return the attribute that a field of Strawberry's is, or a resolver that asks for nothing."""
    field = _field(definition)
    if field and _is_attribute(field):
        return field.python_name, None
    return None, field and _bare_resolver(field)


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


def _is_attribute(field: StrawberryField) -> bool:
    return field.is_basic_field and field.default_resolver is getattr


def _bare_resolver(field: StrawberryField) -> Resolver | None:
    """Return the resolver of a field; None if it is given more than its object."""
    resolver = field.base_resolver
    if (
        resolver is None
        or field.extensions
        or field.arguments
        or resolver.info_parameter
        or resolver.parent_parameter
        or resolver.root_parameter
    ):
        return None
    function: Any = resolver.wrapped_func
    if resolver.self_parameter:
        return lambda source, _info: function(source)
    return lambda _source, _info: function()


def _direct_resolver(field: StrawberryField, definition: GraphQLField) -> Resolver | None:
    """Return a field's resolver; None if Strawberry does more than ask its permissions.

    It goes through Strawberry where Strawberry makes something else of an argument, and where a
    permission refuses without raising, which few do.
    """
    extensions, resolver, wrapped = field.extensions, field.base_resolver, definition.resolve
    if (
        not all(type(e) is PermissionExtension and not e.fail_silently for e in extensions)
        or resolver is None
        or wrapped is None
        or not (resolver.is_async and resolver.self_parameter and resolver.info_parameter)
        or resolver.parent_parameter
        or resolver.root_parameter
    ):
        return None
    names: Mapping[str, str] = dict(
        zip(definition.args, [str(each.python_name) for each in field.arguments], strict=True)
    )
    permissions: Sequence[BasePermission] = [
        p
        for e in extensions
        for p in e.permissions  # type: ignore[attr-defined]
    ]
    function: Any = resolver.wrapped_func

    checks = [permission.has_permission for permission in permissions]
    return guarded(function, checks, names, strawberry.Info, field, wrapped)
