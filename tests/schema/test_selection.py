"""What an operation asks for is what is read: no other column, no other statement."""

import re

import pytest

from tests.api import Api
from tests.people import Person

EVERYTHING = {"id", "name", "email", "phone", "is_active", "is_admin", "created_at", "updated_at"}
ASKED = [
    ("nodes { name }", {"name"}),
    ("nodes { id isAdmin }", {"id", "is_admin"}),
    ("nodes { __typename }", {"created_at", "id"}),
    ("nodes { alias: createdAt }", {"created_at"}),
    ("nodes { name } nodes { id }", {"id", "name"}),
    ("nodes { ... on Customer { name } ... { id } }", {"id", "name"}),
    ("...Page", {"name", "is_active"}),
    ("nodes { name @skip(if: true) id @include(if: false) phone }", {"name", "id", "phone"}),
    ("nodes { name sessions { id } }", {"id", "name"}),
    ("edges { node { name } }", {"name"}),
    ("edges { cursor }", {"created_at", "id"}),
    ("edges { cursor node { name } }", {"created_at", "id", "name"}),
    ("nodes { name } edges { node { phone } }", {"name", "phone"}),
    ("pageInfo { hasNextPage } nodes { name }", {"name"}),
    ("pageInfo { endCursor } nodes { name }", {"created_at", "id", "name"}),
    (
        "nodes { id name email phone isActive isAdmin createdAt updatedAt sessions { id } }",
        EVERYTHING,
    ),
]
FRAGMENTS = """
fragment Page on CustomerConnection { nodes { ...Named } ... { nodes { isActive } } }
fragment Named on Customer { name }
"""


def columns(statement: str) -> set[str]:
    """Name the columns that a page's statement reads."""
    selected = statement.removeprefix("SELECT ").partition(" \nFROM")[0]
    return set(re.findall(r" AS (\w+)(?:, |$)", selected))


def of_list(selects: list[str]) -> list[str]:
    """Find the statements that list customers."""
    return [each for each in selects if "ORDER BY customers." in each]


@pytest.mark.parametrize(("fields", "expected"), ASKED)
async def test_only_what_is_asked_for_is_read(
    api: Api, plain: Person, selects: list[str], fields: str, expected: set[str]
) -> None:
    fragments = FRAGMENTS if "...Page" in fields else ""
    answer = await api.run(f"{{ customers {{ {fields} }} }} {fragments}", token=plain.token)
    assert answer.data["customers"]
    [statement] = of_list(selects)
    assert columns(statement) == expected


@pytest.mark.parametrize("fields", ["__typename", "totalCount", "... { totalCount }"])
async def test_page_that_nobody_asks_for_is_not_read(
    api: Api, plain: Person, selects: list[str], fields: str
) -> None:
    assert (await api.run(f"{{ customers {{ {fields} }} }}", token=plain.token)).data
    assert of_list(selects) == []
    broken = await api.run(f'{{ customers(after: "x") {{ {fields} }} }}', token=plain.token)
    assert broken.code("customers") == "BAD_USER_INPUT"


async def test_aliases_of_one_field_are_distinguished(api: Api, plain: Person) -> None:
    both = "{ a: customers { nodes { name } } b: customers { nodes { id phone } } }"
    data = (await api.run(both, token=plain.token)).data
    assert data == {
        "a": {"nodes": [{"name": plain.name}]},
        "b": {"nodes": [{"id": str(plain.id), "phone": "+1 555 0100"}]},
    }


@pytest.mark.parametrize("way", ["customers { nodes { %s } }", 'customer(id: "%s") { %%s }'])
async def test_what_a_caller_may_not_see_never_leaves_the_database(
    api: Api, plain: Person, admin: Person, selects: list[str], way: str
) -> None:
    asked = (way.replace("%s", str(plain.id), 1) if "id:" in way else way).replace("%%", "%")
    query = f"{{ {asked % 'email phone isActive'} }}"
    assert (await api.run(query, token=plain.token)).data
    masked = re.sub(r"customers.is_active IS (true|1)", "is_visible", selects[-1])
    for column in ("email", "phone", "is_active"):
        assert re.search(rf"CASE WHEN \(customers.id = \S+\) THEN customers.{column} END", masked)
        assert len(re.findall(rf"customers\.{column}\b", masked)) == 1
    assert (await api.run(query, token=admin.token)).data
    assert "CASE WHEN (customers.id" not in selects[-1]
