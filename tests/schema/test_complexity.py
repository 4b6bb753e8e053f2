"""What an operation costs: page sizes multiply along the path, each fragment is summed once."""

import re
from typing import Any

import pytest
from graphql import get_introspection_query

from bench.hostile import FIELDS
from gql_app.settings import Settings
from tests.api import Api, running
from tests.people import Person

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ROW = "nodes { id }"
SESSIONS = 1 + 20 * 2
"""A customer, and 20 sessions with a value each."""


def of_rows(number: int) -> int:
    """Return the cost of a connection, and of so many rows with a value each."""
    return 1 + number * 2


COSTS: list[tuple[str, dict[str, Any], int]] = [
    ("{ __typename }", {}, 1),
    ("{ me { id name } }", {}, 3),
    ("{ me { sessions { id } } }", {}, 1 + 20 * 2),
    ("{ a: me { id } b: me { id } }", {}, 4),
    ("{ me { id } me { id } }", {}, 4),
    (f"{{ customers {{ {ROW} }} }}", {}, of_rows(50)),
    (f"{{ customers(first: 7) {{ {ROW} }} }}", {}, of_rows(7)),
    (f"{{ customers(last: 7) {{ {ROW} }} }}", {}, of_rows(7)),
    (f"{{ customers(first: 3, last: 7) {{ {ROW} }} }}", {}, of_rows(7)),
    (f"{{ customers(first: null) {{ {ROW} }} }}", {}, of_rows(50)),
    (f"{{ customers(first: -3) {{ {ROW} }} }}", {}, of_rows(1)),
    (f"{{ customers(first: 501) {{ {ROW} }} }}", {}, of_rows(500)),
    (f"{{ customers(first: {'9' * 5000}) {{ {ROW} }} }}", {}, of_rows(500)),
    (f'{{ customers(first: "7") {{ {ROW} }} }}', {}, of_rows(50)),
    (f"query($n: Int) {{ customers(first: $n) {{ {ROW} }} }}", {"n": 7}, of_rows(7)),
    (f"query($n: Int) {{ customers(first: $n) {{ {ROW} }} }}", {"n": 7.0}, of_rows(7)),
    (f"query($n: Int) {{ customers(first: $n) {{ {ROW} }} }}", {"n": 1e300}, of_rows(500)),
    (f"query($n: Int) {{ customers(first: $n) {{ {ROW} }} }}", {"n": 7.5}, of_rows(50)),
    (f"query($n: Int) {{ customers(first: $n) {{ {ROW} }} }}", {"n": "7"}, of_rows(50)),
    (f"query($n: Int) {{ customers(first: $n) {{ {ROW} }} }}", {"n": None}, of_rows(50)),
    (f"query($n: Int) {{ customers(first: $n) {{ {ROW} }} }}", {}, of_rows(50)),
    (f"query($n: Int = 7) {{ customers(first: $n) {{ {ROW} }} }}", {}, of_rows(7)),
    (f"query($n: Int = 7) {{ customers(first: $n) {{ {ROW} }} }}", {"n": 9}, of_rows(9)),
    (f"{{ customers(first: $n) {{ {ROW} }} }}", {}, of_rows(50)),
    ("{ customers(first: 500) { totalCount pageInfo { endCursor } } }", {}, 4),
    ("{ customers(first: 10) { edges { cursor node { id } } } }", {}, 1 + 10 * 4),
    ("{ customers(first: 10) { nodes { sessions { id } } } }", {}, 1 + 10 * SESSIONS),
    ("{ auditEvents(first: 10) { nodes { id fields actor { id } } } }", {}, 1 + 10 * 24),
    (
        (
            "{ ...A } fragment A on Query { customers(first: 10) { ...B } } "
            "fragment B on CustomerConnection { ... { nodes { ...C } } } "
            "fragment C on Customer { sessions { id } }"
        ),
        {},
        1 + 10 * SESSIONS,
    ),
    (
        (
            "{ a: customers(first: 10) { ...B } b: customers(first: 20) { ...B } } "
            "fragment B on CustomerConnection { nodes { id } }"
        ),
        {},
        of_rows(10) + of_rows(20),
    ),
    ('{ nodes(ids: ["a", "b", "c"]) { id } }', {}, 3 * 2),
    ('{ nodes(ids: "a") { id } }', {}, 20 * 2),
    ("query($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": ["a"] * 7}, 7 * 2),
    ("query($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": ["a"] * 501}, 500 * 2),
    ("query($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": "a"}, 20 * 2),
    ("{ customers(first: 10) @skip(if: true) { nodes { id } } }", {}, of_rows(10)),
    ("{ nope { nope } }", {}, 2),
    ("mutation { login(email: 1) { status errors { code } } }", {}, 1 + 1 + 20 * 2),
]


@pytest.mark.parametrize(
    ("document", "variables", "cost"), COSTS, ids=lambda value: str(value)[:60]
)
async def test_cost_counts_objects_and_values_by_the_pages(
    settings: Settings, document: str, variables: dict[str, Any], cost: int
) -> None:
    async with running(
        settings.model_copy(update={"max_cost": cost - 1} if cost > 1 else {})
    ) as api:
        told = str((await api.run(document, **variables)).body)
        assert re.findall(r"cost of the operation is ([\d,]+)", told) == [f"{cost:,}"] * (cost > 1)
    async with running(settings.model_copy(update={"max_cost": cost})) as api:
        assert "cost" not in str((await api.run(document, **variables)).body)


async def test_only_the_operation_that_runs_costs(settings: Settings) -> None:
    document = "query A { me { id } } query B($n: Int = 9) { customers(first: $n) { " + ROW + " } }"
    async with running(settings.model_copy(update={"max_cost": 2})) as api:
        for name, found in (("A", []), ("B", ["19"])):
            body = {"query": document, "operationName": name}
            told = (await api.client.post("/graphql", json=body)).text
            assert re.findall(r"cost of the operation is (\d+)", told) == found


async def test_largest_page_is_granted_with_every_field_and_not_with_sessions(
    api: Api, admin: Person
) -> None:
    rows = f"nodes {{ {FIELDS} }} edges {{ cursor node {{ {FIELDS} }} }}"
    whole = f"{{ customers(first: 500) {{ {rows} }} }}"
    assert (await api.run(whole, token=admin.token)).data["customers"]["nodes"]
    dear = await api.run(
        "{ customers(first: 500) { nodes { sessions { id } } } }", token=admin.token
    )
    assert dear.error()["message"] == (
        "The cost of the operation is 20,501 objects and values; the limit is 20000."
    )


async def test_introspection_is_granted_once_and_not_many_times_over(api: Api) -> None:
    assert (await api.run(get_introspection_query())).data
    dear = "types { name fields { name type { name kind fields { name type { name kind } } } } }"
    assert (await api.run(f"{{ __schema {{ {dear} }} }}")).data
    aliases = " ".join(f"a{number}: {dear}" for number in range(15))
    refused = (await api.run(f"{{ __schema {{ {aliases} }} }}")).error()
    assert "The cost of the operation" in refused["message"]


@pytest.mark.parametrize("each", ["name", "args { name }"])
@pytest.mark.parametrize("root", ["queryType", "mutationType", '__type(name: "Mutation")'])
async def test_introspection_of_the_largest_type_costs_what_it_answers(
    settings: Settings, root: str, each: str
) -> None:
    wide = " ".join(f"a{number}: fields {{ {each} }}" for number in range(10))
    document = (
        f"{root} {{ {wide} }}" if root.startswith("__") else f"__schema {{ {root} {{ {wide} }} }}"
    )
    async with running(settings) as api:
        answered = (await api.run(f"{{ {document} }}")).data
    async with running(settings.model_copy(update={"max_cost": 1})) as api:
        told = (await api.run(f"{{ {document} }}")).error()["message"]
    (cost,) = re.findall(r"cost of the operation is ([\d,]+)", told)
    assert int(cost.replace(",", "")) >= objects_and_values(answered)


def objects_and_values(answered: object) -> int:
    """Return the number of objects and values in an answer."""
    if isinstance(answered, dict):
        return 1 + sum(map(objects_and_values, answered.values()))
    return sum(map(objects_and_values, answered)) if isinstance(answered, list) else 1


async def test_introspection_tells_of_every_type_whether_it_takes_one_of(api: Api) -> None:
    document = "{ __schema { types { name isOneOf fields { type { isOneOf } } } } }"
    types = (await api.run(document)).data["__schema"]["types"]
    told = {kind["name"]: kind["isOneOf"] for kind in types}
    assert told["UpdateMeInput"] is False
    assert told["Customer"] is None
