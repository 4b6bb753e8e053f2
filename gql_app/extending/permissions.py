"""Permissions of features' fields, as Strawberry and the engine take them."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from strawberry.permission import BasePermission, PermissionExtension

Permission: TypeAlias = BasePermission | type[BasePermission]
"""IsAuthenticated, HasPermission("orders:read"), or one of a feature's own."""


def permission(given: Permission) -> BasePermission:
    """Return a permission, which may be given as its class, as an object."""
    return given() if isinstance(given, type) else given


def extensions(permissions: Iterable[Permission]) -> Sequence[PermissionExtension]:
    """Return the field extension that checks all these permissions; none without permissions."""
    asked = [permission(each) for each in permissions]
    return [PermissionExtension(permissions=asked)] if asked else []
