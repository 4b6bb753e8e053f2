"""Permissions: what roles may do together, and which roles there can't be."""

from collections.abc import Set as AbstractSet

import pytest

from gql_app.accounts.permissions import OURS, Everything, Role, Roles, lacking, role_text


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ([Role("support", {"a:b"})], "the role support is there already; add to it with"),
        ([Role("admin", {"a:b"})], "the role admin is there already"),
        ([Role("desk", {"a:b"}), Role("desk", {"c:d"})], "the role desk is there already"),
        ([Role.extend("desk", permissions={"a:b"})], "there is no role desk to extend"),
    ],
)
def test_role_that_there_can_not_be_is_told(roles: list[Role], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Roles(roles)


def test_roles_are_extended_whichever_comes_first() -> None:
    roles = Roles(
        [
            Role.extend("desk", permissions={"c:d"}),
            Role.extend("admin", permissions={"e:f"}),
            Role.extend("support", permissions={"g:h"}),
            Role("desk", {"a:b"}),
        ]
    )
    assert roles.names == ("admin", "support", "desk")
    assert roles["desk"] == {"a:b", "c:d"}
    assert roles["desk support"] == {"a:b", "c:d", "g:h", "customers:read_private", "sessions:end"}
    assert roles["gone"] == frozenset()
    assert set(roles["admin"]) == roles.known == OURS | {"a:b", "c:d", "e:f", "g:h"}


def test_what_one_lacks_of_others_is_found() -> None:
    some, roles = frozenset({"a:b"}), Roles([Role("desk", {"a:b", "z:y"})], ["y:x"])
    known, everything = roles.known, roles["admin"]
    assert known == OURS | {"a:b", "z:y", "y:x"}
    assert lacking(some, frozenset()) is None
    assert lacking(some, frozenset({"a:b", "c:d", "e:f"})) == "c:d"
    assert lacking(everything, frozenset({"c:d"})) is None
    assert lacking(everything, everything) is None
    assert lacking(some, everything) == "audit:read"
    assert lacking(OURS, everything) == "a:b"
    assert lacking(OURS | some, everything) == "y:x"
    assert lacking(known, everything) == "admin"


@pytest.mark.parametrize("kind", [set, frozenset])
def test_an_admin_has_every_permission_by_any_operator(kind: type[set[str]]) -> None:
    some: AbstractSet[str] = kind({"edge:read", "audit:read"})
    admin = Roles()["admin support"]
    assert some <= admin
    assert some < admin
    assert admin >= some
    assert admin.issuperset(some)  # type: ignore[attr-defined]  # a frozenset has it
    assert some & admin == admin & some == some
    assert not some - admin
    assert not admin.isdisjoint(some)
    assert "edge:write" in admin | some
    assert "edge:write" in some | admin
    assert not admin <= some
    assert admin != some
    assert admin == Everything()
    assert hash(admin) == hash(Everything())
    assert len(admin) == len(OURS)


def test_an_admin_has_every_permission_by_any_method_of_a_set() -> None:
    admin, some = Roles([Role("desk", {"edge:read"})])["admin"], {"edge:read", "audit:read"}
    assert some.issubset(admin)
    assert not some.isdisjoint(admin)
    assert some.intersection(admin) == some
    assert not some.difference(admin)


def test_roles_are_spelt_with_the_admin_first() -> None:
    assert role_text({"support", "admin", "a"}) == "admin a support"
