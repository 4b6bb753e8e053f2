"""Introspection, and what errors give away of the schema: both follow one setting."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import build_client_schema, get_introspection_query

from gql_app.settings import Settings
from tests.api import Api, running

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

INTROSPECTION = (
    "{ __schema { types { name } } }",
    '{ __type(name: "Customer") { name } }',
    "{ ...F } fragment F on Query { ... { a: __schema { queryType { name } } } }",
)
MISTAKES: list[tuple[str, dict[str, Any]]] = [
    ("{ mee { id } }", {}),
    ("{ me { nam } }", {}),
    ("mutation { logn { status } }", {}),
    ("{ customers(frist: 1) { totalCount } }", {}),
    ("{ customers(filter: {serch: 1}) { totalCount } }", {}),
    ("{ customers(orderBy: {field: NAM}) { totalCount } }", {}),
    ("{ customers(orderBy: {field: NAME, direction: ASK}) { totalCount } }", {}),
    ("{ me { ... on Custmer { id } } }", {}),
    ("{ ...F } fragment F on Qery { __typename }", {}),
    ("query($f: CustomrFilter) { customers(filter: $f) { totalCount } }", {}),
    ("query($f: CustomerFilter) { customers(filter: $f) { totalCount } }", {"f": {"serch": 1}}),
    ("query($o: CustomerOrder) { customers(orderBy: $o) { totalCount } }", {"o": {"field": "NAM"}}),
    ("{ me }", {}),
]
LOCATIONS = {
    *("QUERY", "MUTATION", "SUBSCRIPTION", "FIELD", "FRAGMENT_DEFINITION", "FRAGMENT_SPREAD"),
    *("INLINE_FRAGMENT", "VARIABLE_DEFINITION", "SCHEMA", "SCALAR", "OBJECT", "FIELD_DEFINITION"),
    *("ARGUMENT_DEFINITION", "INTERFACE", "UNION", "ENUM", "ENUM_VALUE", "INPUT_OBJECT"),
    "INPUT_FIELD_DEFINITION",
}
"""The places of directives in the GraphQL specification of September 2025, section 3.13."""
SUGGESTION = "Did you mean"
HIDDEN = {"me", "name", "login", "first", "search", "NAME", "EMAIL", "ASC", "DESC"}
"""What the mistakes come close to."""


@pytest.fixture
async def closed(settings: Settings) -> AsyncIterator[Api]:
    """Run the API with introspection closed."""
    async with running(settings.model_copy(update={"introspection": False})) as api:
        yield api


@pytest.mark.parametrize("document", INTROSPECTION)
async def test_introspection_can_be_closed(closed: Api, document: str) -> None:
    answer = await closed.run(document)
    assert {error["extensions"]["code"] for error in answer.errors} == {"GRAPHQL_VALIDATION_FAILED"}
    assert "data" not in answer.body
    assert "CustomerConnection" not in json.dumps(answer.body)


async def test_typename_is_answered_even_so(closed: Api) -> None:
    assert (await closed.run("{ __typename }")).data == {"__typename": "Query"}


@pytest.mark.parametrize("document", INTROSPECTION)
async def test_introspection_is_open_by_default(api: Api, document: str) -> None:
    assert (await api.run(document)).data


async def test_directives_are_for_places_that_released_clients_know(api: Api) -> None:
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    introspected: Any = (await api.run(query)).data
    directives = {each["name"]: each for each in introspected["__schema"]["directives"]}
    for each in directives.values():
        assert set(each["locations"]) <= LOCATIONS, each
    built = build_client_schema(introspected)
    deprecated = built.get_directive("deprecated")
    assert deprecated is not None
    assert deprecated.args["reason"].default is not None
    assert [each.name for each in deprecated.locations] == directives["deprecated"]["locations"]


@pytest.mark.parametrize(("document", "variables"), MISTAKES)
async def test_errors_have_no_suggestions_where_introspection_is_closed(
    api: Api, closed: Api, document: str, variables: dict[str, Any]
) -> None:
    suggested = [e["message"] for e in (await api.run(document, **variables)).errors]
    assert any(SUGGESTION in message for message in suggested)
    told = [error["message"] for error in (await closed.run(document, **variables)).errors]
    assert told
    for message in told:
        assert SUGGESTION not in message
        sent = re.findall(r"\w+", document + json.dumps(variables))
        assert not (set(re.findall(r"\w+", message)) - set(sent)) & HIDDEN
