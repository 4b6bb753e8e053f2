"""Who may resolve a field; schema.graphql shows it as a directive."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from graphql import FieldNode
from strawberry.permission import BasePermission, PermissionExtension

from gql_app.accounts.callers import Caller
from gql_app.db.questions import Reader
from gql_app.errors import AdminRequired
from gql_app.schema.context import Info

Foresee = Callable[[Info, Mapping[str, Any], Caller, Reader], Awaitable[object]]
"""Does a field's work, by its arguments."""


class IsAuthenticated(BasePermission):
    """Somebody is signed in, and their session lives.

    A field that is asked for alone, and reads anyway, may do so ahead: the same statement tells
    who is calling.
    """

    def __init__(self, foresee: Foresee | None = None) -> None:
        self._foresee = foresee

    async def has_permission(self, source: object, info: Info, **arguments: object) -> bool:
        """Ask who is calling. Raises Unauthenticated, with the reason.

        The refusal is raised here, for one permission object serves all requests at once
        and can't hold a message for any of them.
        """
        foresee = self._foresee if _is_alone(info) else None
        if not foresee or not await info.context.foresees(partial(foresee, info, arguments)):
            await info.context.caller()
        return True


class IsAdmin(BasePermission):
    """An admin is signed in, and is one still."""

    async def has_permission(self, source: object, info: Info, **_: object) -> bool:
        """Ask who is calling. Raises Unauthenticated or AdminRequired."""
        caller = await info.context.caller()
        if not caller.is_admin:
            raise AdminRequired
        return True


def authenticated(foresee: Foresee | None = None) -> PermissionExtension:
    """Make the extension that lets in whoever is signed in."""
    return PermissionExtension(permissions=[IsAuthenticated(foresee)])


def admin() -> PermissionExtension:
    """Make the extension that lets in admins."""
    return PermissionExtension(permissions=[IsAdmin()])


def _is_alone(info: Info) -> bool:
    """Tell whether an operation asks for one field; several share one judgement."""
    selections = info.operation.selection_set.selections
    return len(selections) == 1 and isinstance(selections[0], FieldNode)
