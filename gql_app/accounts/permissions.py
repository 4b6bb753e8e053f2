"""Permissions: what a caller may do, and the roles that grant them."""

from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Self

READ_PRIVATE: Final = "customers:read_private"
"""To read the private data of customers: address, phone, state, sessions and roles."""
WRITE_CUSTOMERS: Final = "customers:write"
"""To add, change and delete customers."""
READ_AUDIT: Final = "audit:read"
"""To read the events of the audit."""
END_SESSIONS: Final = "sessions:end"
"""To end the sessions of any customer."""
OURS: Final = frozenset({READ_PRIVATE, WRITE_CUSTOMERS, READ_AUDIT, END_SESSIONS})
"""The built-in permissions, to which features add theirs."""
ADMIN: Final = "admin"
"""The name of the role that has every permission."""


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of permissions, which is granted to customers."""

    name: str
    permissions: Collection[str]
    extends: bool = False
    """Whether it adds permissions to an existing role."""

    @classmethod
    def extend(cls, name: str, *, permissions: Collection[str]) -> Self:
        """Return further permissions for an existing role, such as "support"."""
        return cls(name, permissions, extends=True)


class Everything(AbstractSet[str]):
    """The permissions of an admin, which contain every permission, also those of features.

    It is no frozenset, as sets compare those by their items, and not by `in`.
    """

    def __init__(self, known: AbstractSet[str] = OURS) -> None:
        self.known: Final = known

    def __contains__(self, permission: object) -> bool:
        """Return True."""
        return True

    def __iter__(self) -> Iterator[str]:
        """Return an iterator of those that are known."""
        return iter(self.known)

    def __len__(self) -> int:
        """Return the number of those that are known."""
        return len(self.known)

    def __le__(self, other: object) -> bool:
        """Return whether the other set contains every permission as well."""
        return isinstance(other, Everything)

    def __ge__(self, other: object) -> bool:
        """Return True."""
        return True

    def __or__(self, other: object) -> Self:
        """Return itself."""
        return self

    def __hash__(self) -> int:
        """Return the same for all, as they are equal."""
        return hash(Everything)

    issuperset, __ror__, _from_iterable = __ge__, __or__, frozenset


SUPPORT: Final = Role("support", {READ_PRIVATE, END_SESSIONS})


class Roles(dict[str, AbstractSet[str]]):
    """The permissions of each combination of roles, by the text of CustomerRecord.roles."""

    def __init__(self, roles: Collection[Role] = (), named: Iterable[str] = ()) -> None:
        """Add the roles of features, also those that extend others, and permissions without one.

        Raises ValueError.
        """
        super().__init__()
        self.known: Final = OURS.union(named, *(role.permissions for role in roles))
        """All permissions that there are."""
        self._by_name: dict[str, AbstractSet[str]] = {
            ADMIN: Everything(self.known),
            SUPPORT.name: frozenset(SUPPORT.permissions),
        }
        for role in sorted(roles, key=lambda role: role.extends):  # extensions last
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

    def __missing__(self, roles: str) -> AbstractSet[str]:
        """Return the permissions of roles, and cache them; an unknown role has none."""
        sets = [self._by_name[name] for name in roles.split() if name in self._by_name]
        everything = next((each for each in sets if isinstance(each, Everything)), None)
        permissions = everything or frozenset[str]().union(*sets)
        self[roles] = permissions
        return permissions


def role_text(names: Collection[str]) -> str:
    """Return the names of roles as one text, separated by blanks, that of an admin first."""
    return " ".join(sorted(names, key=lambda name: (name != ADMIN, name)))


def lacking(mine: AbstractSet[str], other: AbstractSet[str]) -> str | None:
    """Return a permission in `other` that is missing in `mine`; None if there is none.

    Who has all that an admin has lacks the role itself.
    """
    if not isinstance(other, Everything):
        return min(other - mine, default=None)
    return None if isinstance(mine, Everything) else min(other.known - mine, default=ADMIN)
