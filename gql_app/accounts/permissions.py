"""Permissions: what a caller may do, and the roles that give them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

READ_PRIVATE: Final = "customers:read_private"
"""To see what is for a customer's own eyes: address, phone, state, sessions and roles."""
WRITE_CUSTOMERS: Final = "customers:write"
"""To add, change and delete customers."""
READ_AUDIT: Final = "audit:read"
END_SESSIONS: Final = "sessions:end"
"""To end anybody's sessions."""
OURS: Final = frozenset({READ_PRIVATE, WRITE_CUSTOMERS, READ_AUDIT, END_SESSIONS})
"""The permissions that this program knows without any feature."""
ADMIN: Final = "admin"
"""The name of the role that has every permission."""


@dataclass(frozen=True, slots=True)
class Role:
    """A set of permissions with a name, which customers may have."""

    name: str
    permissions: Collection[str]
    extends: bool = False
    """Whether it adds permissions to a role that is there already."""

    @classmethod
    def extend(cls, name: str, *, permissions: Collection[str]) -> Self:
        """Return more permissions for a role that is there already, such as "support"."""
        return cls(name, permissions, extends=True)


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a caller may do: some permissions by their names, or all that there are."""

    names: frozenset[str] = frozenset()
    everything: bool = False

    def __contains__(self, permission: str) -> bool:
        """Return whether a permission is among them."""
        return self.everything or permission in self.names

    def lacking(self, other: Self) -> str | None:
        """Return a permission that another set has and this one lacks; None if there is none."""
        if self.everything:
            return None
        if other.everything:
            return ADMIN
        return min(other.names - self.names, default=None)


SUPPORT: Final = Role("support", {READ_PRIVATE, END_SESSIONS})


class Roles:
    """The roles there are, and what each may do."""

    def __init__(self, roles: Iterable[Role] = ()) -> None:
        """Take the roles of features, those that extend another as well. Raises ValueError."""
        self._by_name: dict[str, frozenset[str]] = {SUPPORT.name: frozenset(SUPPORT.permissions)}
        roles = sorted(roles, key=lambda role: role.extends)  # so that all are there by then
        for role in roles:
            known = role.name in self._by_name or role.name == ADMIN
            if known and not role.extends:
                message = f"the role {role.name} is there already; add to it with Role.extend()"
                raise ValueError(message)
            if role.extends and role.name not in self._by_name:
                message = f"there is no role {role.name} to extend"
                raise ValueError(message)
            had = self._by_name.get(role.name, frozenset())
            self._by_name[role.name] = had | frozenset(role.permissions)
        self._permissions: dict[str, Permissions] = {}

    @property
    def names(self) -> Collection[str]:
        """The names of all roles."""
        return {ADMIN, *self._by_name}

    def permissions(self, roles: str) -> Permissions:
        """Return what some roles may do together: their names, with blanks between them.

        A role that is no longer there may nothing.
        """
        known = self._permissions.get(roles)
        if known is None:
            names = roles.split()
            each: Mapping[str, frozenset[str]] = self._by_name
            granted = frozenset().union(*(each.get(name, frozenset()) for name in names))
            known = self._permissions[roles] = Permissions(granted, everything=ADMIN in names)
        return known
