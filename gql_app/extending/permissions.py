"""The permissions that features name, checked."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from strawberry.permission import BasePermission

from gql_app.accounts.permissions import OURS
from gql_app.extending.functions import check_lists, function_name
from gql_app.schema.permissions import Permission, Permitted, permission

VERB: Final = re.compile(r"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*")
"""The form of the names of permissions and actions."""


def HasPermission(permission: str) -> type[BasePermission]:  # noqa: N802 — it stands for a class
    """Return the class that requires a permission, for a field's `permission_classes`.

    Raises TypeError if there can't be such a permission.
    """
    check_permission("HasPermission()", permission)
    return _required(permission)


@cache
def _required(permission: str) -> type[BasePermission]:
    """Return the class of a permission, the same one for each field that requires it."""

    class Named(Permitted):
        def __init__(self) -> None:
            super().__init__(permission)

    return Named


def declared_permissions(taker: str, given: Sequence[Permission]) -> list[BasePermission]:
    """Return permissions as objects. Raises TypeError unless they are a list of permissions."""
    check_lists(taker, permissions=given)
    for each in given:
        if not isinstance(each, BasePermission | type) or not issubclass(
            each if isinstance(each, type) else type(each), BasePermission
        ):
            message = (
                f"{taker}: permissions has {function_name(each)}, which is no permission: take "
                'IsAuthenticated, HasPermission("noun:verb") or a class of your own.'
            )
            raise TypeError(message)
    return [permission(each) for each in given]


def check_permission(taker: str, name: object) -> None:
    """Raise TypeError with permission_fault(), if there is one, and the name of what takes it."""
    if fault := permission_fault(name):
        message = f"{taker} has {fault}."
        raise TypeError(message)


def permission_fault(name: object) -> str | None:
    """Return why there can't be a permission of this name, None if there can."""
    nouns = {each.partition(":")[0] for each in OURS}
    if not isinstance(name, str) or not VERB.fullmatch(name):
        return f"a permission {name}, which must be written noun:verb, in small letters"
    if name not in OURS and name.partition(":")[0] in nouns:
        return f"a permission {name}, which is none of ours: {', '.join(sorted(OURS))}"
    return None
