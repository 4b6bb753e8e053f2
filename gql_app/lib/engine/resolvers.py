"""Resolvers that are called with their permissions, without Strawberry's wrapping."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, Final, cast

import strawberry
from graphql import GraphQLField, GraphQLResolveInfo
from strawberry.permission import BasePermission, PermissionExtension
from strawberry.types.field import StrawberryField

from gql_app.lib.engine.execution import Value
from gql_app.lib.engine.variables import Arguments

_PLAIN_TYPES: Final = frozenset({int, str, bool, type(None)})
"""Types of arguments that Strawberry hands on as they are."""


@dataclass(frozen=True, slots=True)
class DirectResolver:
    """A resolver and its permissions, with nothing else around it.

    Without it a page of 50 takes 1.15 times as long.
    """

    field: StrawberryField
    function: Callable[..., Awaitable[Value]]
    permissions: Sequence[BasePermission]
    python_names: Mapping[str, str]
    """Python's names of the arguments, by GraphQL's."""

    @classmethod
    def of(cls, field: StrawberryField, definition: GraphQLField) -> "DirectResolver | None":
        """Return a field's resolver; None if Strawberry does more than ask its permissions."""
        extensions, resolver = field.extensions, field.base_resolver
        if (
            not all(type(e) is PermissionExtension and not e.fail_silently for e in extensions)
            or resolver is None
            or not (resolver.is_async and resolver.self_parameter and resolver.info_parameter)
            or resolver.parent_parameter
            or resolver.root_parameter
        ):
            return None
        names = [str(each.python_name) for each in field.arguments]
        permissions = [p for e in extensions for p in e.permissions]  # type: ignore[attr-defined]
        function = cast("Callable[..., Awaitable[Value]]", resolver.wrapped_func)
        return cls(field, function, permissions, dict(zip(definition.args, names, strict=True)))

    def python_arguments(self, coerced: Mapping[str, Value]) -> Mapping[str, Value] | None:
        """Return the arguments by Python's names; None if Strawberry converts any of them."""
        if not _PLAIN_TYPES.issuperset(map(type, coerced.values())):
            return None
        return {self.python_names[name]: value for name, value in coerced.items()}

    async def permits(
        self, info: "strawberry.Info[Any, None]", arguments: Mapping[str, Value]
    ) -> bool:
        """Return whether all permissions agree; most of them raise their refusal themselves."""
        for permission in self.permissions:
            answer: Value = permission.has_permission(None, info, **arguments)
            if (await answer if isawaitable(answer) else answer) is not True:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Resolver:
    """A root field's resolver, called in the most direct way there is."""

    definition: GraphQLField
    direct: DirectResolver | None

    def arguments(self, coerced: dict[str, Value]) -> Arguments:
        """Return arguments as they are handed over, by the direct way if that may be."""
        return Arguments(coerced, self.direct.python_arguments(coerced) if self.direct else None)

    async def __call__(self, info: GraphQLResolveInfo[object], arguments: Arguments) -> Value:
        """Return what the resolver returns, if its permissions agree.

        It goes through Strawberry where there is no direct way, and where a permission refuses
        without raising.
        """
        if self.direct is not None and arguments.python is not None:
            ours: strawberry.Info[Any, None] = strawberry.Info(info, self.direct.field)
            if await self.direct.permits(ours, arguments.python):
                return await self.direct.function(None, ours, **arguments.python)
        assert self.definition.resolve is not None  # noqa: S101 — Strawberry gives each field one
        value = self.definition.resolve(None, info, **arguments.coerced)
        return await value if isawaitable(value) else value
