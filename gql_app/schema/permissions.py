"""Who may resolve a field; schema.graphql shows it as a directive."""

from strawberry.permission import BasePermission, PermissionExtension

from gql_app.errors import AdminRequired
from gql_app.schema.context import Info


class IsAuthenticated(BasePermission):
    """Somebody is signed in, and their session lives."""

    async def has_permission(self, source: object, info: Info, **_: object) -> bool:
        """Ask who is calling. Raises Unauthenticated, with the reason.

        The refusal is raised here, for one permission object serves all requests at once
        and can't hold a message for any of them.
        """
        await info.context.caller()
        return True


class IsAdmin(BasePermission):
    """An admin is signed in, and is one still."""

    async def has_permission(self, source: object, info: Info, **_: object) -> bool:
        """Ask who is calling. Raises Unauthenticated or AdminRequired."""
        caller = await info.context.caller()
        if not caller.customer.is_admin:
            raise AdminRequired
        return True


def authenticated() -> PermissionExtension:
    """Make the extension that lets in whoever is signed in."""
    return PermissionExtension(permissions=[IsAuthenticated()])


def admin() -> PermissionExtension:
    """Make the extension that lets in admins."""
    return PermissionExtension(permissions=[IsAdmin()])
