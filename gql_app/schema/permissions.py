"""Permissions: the callers who may resolve a field; schema.graphql shows them as directives.

One permission object serves all requests at once: it raises a refusal, and never stores one.
"""

from strawberry.permission import BasePermission, PermissionExtension

from gql_app.errors import AdminRequired
from gql_app.schema.context import Info


class IsAuthenticated(BasePermission):
    """Somebody is signed in, and their session lives."""

    def __init__(self, *, by_token: bool = False) -> None:
        self._by_token = by_token

    async def has_permission(self, source: object, info: Info, **_: object) -> bool:
        """Return True, or raise Unauthenticated with the reason.

        With `by_token` the token alone is judged: a resolver that reads by read_as_caller()
        finds out by itself whether the session lives.
        """
        if self._by_token:
            info.context.claims()
        else:
            await info.context.caller()
        return True


class IsAdmin(BasePermission):
    """An admin is signed in, and is one still."""

    async def has_permission(self, source: object, info: Info, **_: object) -> bool:
        """Return True, or raise Unauthenticated or AdminRequired."""
        caller = await info.context.caller()
        if not caller.is_admin:
            raise AdminRequired
        return True


def authenticated(*, by_token: bool = False) -> PermissionExtension:
    """Return the extension that lets in whoever is signed in."""
    return PermissionExtension(permissions=[IsAuthenticated(by_token=by_token)])


def admin() -> PermissionExtension:
    """Return the extension that lets in admins."""
    return PermissionExtension(permissions=[IsAdmin()])
