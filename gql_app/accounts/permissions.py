"""Permissions: what a caller may do, and the roles that give them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Self

READ_PRIVATE: Final = "customers:read_private"
"""To see what is for a customer's own eyes: address, phone, state, sessions and roles."""
WRITE_CUSTOMERS: Final = "customers:write"
"""To add, change and delete customers."""
READ_AUDIT: Final = "audit:read"
"""To see what happened, and to whom."""
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


class Everything(frozenset[str]):
    """The permissions of an admin: all that there are, whoever has named them."""

    def __contains__(self, permission: object) -> bool:
        """Return True."""
        return True


SUPPORT: Final = Role("support", {READ_PRIVATE, END_SESSIONS})


class Roles(dict[str, frozenset[str]]):
    """What roles may do together, by their names as CustomerRecord has them."""

    def __init__(self, roles: Iterable[Role] = ()) -> None:
        """Take the roles of features, those that extend another as well. Raises ValueError."""
        super().__init__()
        self._by_name: dict[str, frozenset[str]] = {
            ADMIN: Everything(OURS),
            SUPPORT.name: frozenset(SUPPORT.permissions),
        }
        for role in sorted(roles, key=lambda role: role.extends):  # when all of them are there
            if role.extends and role.name not in self._by_name:
                message = f"there is no role {role.name} to extend"
                raise ValueError(message)
            if not role.extends and role.name in self._by_name:
                message = f"the role {role.name} is there already; add to it with Role.extend()"
                raise ValueError(message)
            if role.name != ADMIN:
                had = self._by_name.get(role.name, frozenset())
                self._by_name[role.name] = had | frozenset(role.permissions)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all roles."""
        return tuple(self._by_name)

    def __missing__(self, roles: str) -> frozenset[str]:
        """Return what roles may do that were not asked for yet; one that is gone may nothing."""
        sets = [self._by_name[name] for name in roles.split() if name in self._by_name]
        everything = next((each for each in sets if isinstance(each, Everything)), None)
        permissions = frozenset[str]().union(*sets) if everything is None else everything
        self[roles] = permissions
        return permissions


def role_text(names: Collection[str]) -> str:
    """Return the names of roles as one text: that of an admin first, with blanks between them."""
    return " ".join(sorted(names, key=lambda name: (name != ADMIN, name)))


def lacking(mine: frozenset[str], other: frozenset[str]) -> str | None:
    """Return a permission of others that is not among one's own; None if there is none."""
    return min((each for each in other if each not in mine), default=None) or (
        ADMIN if isinstance(other, Everything) and not isinstance(mine, Everything) else None
    )
