"""Permissions: which callers may resolve a field; schema.graphql shows them as directives.

One permission object serves all requests at once: it raises a refusal, and never stores one.
"""

from typing import Final, TypeAlias

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission, PermissionExtension
from strawberry.schema_directive import Location

from gql_app.accounts.permissions import READ_PRIVATE
from gql_app.errors import AdminRequired, PermissionRequired
from gql_app.lib.composition import WHO_MAY_ASK
from gql_app.schema.context import Info


def _directive(name: str) -> object:
    """Return the schema directive of a field whose permission has no arguments."""
    places, made = [Location.FIELD_DEFINITION], type(name, (), {})
    return strawberry.schema_directive(locations=places, name=name)(made)()


Permission: TypeAlias = BasePermission | type[BasePermission]
"""IsAuthenticated, HasPermission("orders:read"), or one of a feature's own."""
PRIVATE: Final = {WHO_MAY_ASK: f"Null unless it is the caller's own, or with {READ_PRIVATE}."}
"""The metadata of private fields, which are null unless the caller may see them."""


@strawberry.schema_directive(locations=[Location.FIELD_DEFINITION])
class Requires:
    """The directive of a field that requires a permission."""

    permission: str


class IsAuthenticated(BasePermission):
    """Lets in callers who are signed in, with a living session."""

    who_may_ask = "Signed in only."
    schema_directive = _directive("isAuthenticated")

    def __init__(self, *, by_token: bool = False, enrols: bool = False) -> None:
        self._by_token = by_token
        self._enrols = enrols

    async def has_permission(self, source: object, info: Info, **_: object) -> bool:
        """Return True, or raise Unauthenticated with the reason, or EnrolmentRequired.

        With `by_token` only the token is checked: the resolver has to read by read_as_caller(),
        which checks the session. With `enrols` it also lets in callers who must set up a second
        factor first.
        """
        if self._by_token:
            info.context.identity()
        else:
            await info.context.signed_in(enrols=self._enrols)
        return True


class IsRecentlyAuthenticated(IsAuthenticated):
    """Lets in callers who are signed in, with a recent proof of their identity."""

    who_may_ask = "Signed in, with a recent proof of identity."

    def __init__(self, *, enrols: bool = False, shown: bool = True) -> None:
        """Take whether the schema shows isAuthenticated: beside another directive it need not."""
        super().__init__(enrols=enrols)
        if not shown:
            self.schema_directive = None
            self.who_may_ask = "Needs a recent proof of identity."

    async def has_permission(self, source: object, info: Info, **_: object) -> bool:
        """Return True, or raise ReauthenticationRequired, or what IsAuthenticated raises."""
        await super().has_permission(source, info)
        await info.context.require_recent()
        info.context.recent = True
        return True


class Permitted(BasePermission):
    """Lets in callers who are signed in, with a permission."""

    refusal: type[PermissionRequired] = PermissionRequired

    def __init__(self, permission: str) -> None:
        self.permission: Final = permission
        self.who_may_ask: Final = f"Needs {permission}."

    async def has_permission(self, source: object, info: Info, **_: object) -> bool:
        """Return True, or raise Unauthenticated or PermissionRequired."""
        caller = await info.context.caller()
        if self.permission not in caller.permissions:
            raise self.refusal(self.permission)
        info.context.permitted.add(self.permission)
        return True

    @property
    def schema_directive(self) -> object:
        """The directive of the field in the schema."""
        return Requires(permission=self.permission)


class IsAdmin(Permitted):
    """Lets in callers with a permission, for fields that were once for admins only."""

    refusal = AdminRequired
    schema_directive = _directive("isAdmin")


RECENT: Final = IsRecentlyAuthenticated(shown=False)
"""Lets in callers with a recent proof of their identity; it stands beside another permission."""


def permission(given: Permission) -> BasePermission:
    """Return a permission, which may be given as its class, as an object."""
    return given() if isinstance(given, type) else given


def requiring(*permissions: Permission) -> list[FieldExtension]:
    """Return the field extension that checks all these permissions; none without permissions."""
    asked = [permission(each) for each in permissions]
    return [PermissionExtension(permissions=asked)] if asked else []
