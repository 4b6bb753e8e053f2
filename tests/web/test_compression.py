"""Compression: of what only reads, and of nothing that may hold a token."""

import re

import httpx
import pytest
from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    get_introspection_query,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_object_type,
)
from prometheus_client.parser import text_string_to_metric_families

from gql_app.lib.compression import MINIMUM_SIZE
from gql_app.schema.root import build_schema
from gql_app.settings import Settings
from tests.api import Api, running
from tests.people import PASSWORD, Person

GZIP = {"Accept-Encoding": "gzip", "Accept": "application/json"}
LONG = "a" * 1100
"""The name of a field by which any answer is a large one."""
LOGIN = (
    f"mutation SignIn($email: String!) {{ {LONG}: login(email: $email, password: %s) {{ token }} }}"
)

SECRET = {
    "LoginPayload",
    "SecondFactorChallenge",
    "SecondFactorPayload",
    "PasskeyOptionsPayload",
    "RecoveryCodesPayload",
    "CodesPayload",
}
"""What holds tokens, challenges, keys or codes."""
NAMES = "token|password|secret|challenge|options|uri|codes?$"

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def ask(api: Api, query: str, **variables: object) -> httpx.Response:
    """Ask as a client does that takes gzip."""
    asked = {"query": query, "variables": variables}
    return await api.client.post("/graphql", json=asked, headers=GZIP)


def coding(response: httpx.Response) -> str | None:
    """Tell how an answer came."""
    name: str | None = response.headers.get("content-encoding")
    return name


@on_sqlite
async def test_schema_comes_in_a_fifth_of_its_bytes(api: Api, settings: Settings) -> None:
    packed = await ask(api, get_introspection_query())
    async with running(settings.model_copy(update={"compression": False})) as plain:
        unpacked = await ask(plain, get_introspection_query())
    assert (coding(packed), packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert int(packed.headers["content-length"]) * 5 < int(unpacked.headers["content-length"])
    assert packed.content == unpacked.content
    assert coding(unpacked) is None
    assert "vary" not in unpacked.headers


@on_sqlite
async def test_what_fits_into_a_packet_is_sent_as_it_is(api: Api) -> None:
    for missing, expected in ((1, None), (0, "gzip")):
        name = "a" * (MINIMUM_SIZE - len('{"data":{"":"Query"}}') - missing)
        response = await ask(api, f"{{ {name}: __typename }}")
        assert (coding(response), "vary" in response.headers) == (expected, expected is not None)
        assert len(response.content) == MINIMUM_SIZE - missing


@on_sqlite
async def test_answer_to_head_has_the_headers_of_the_one_to_get(api: Api) -> None:
    asked = {"query": get_introspection_query()}
    got, head = [
        await api.client.request(method, "/graphql", params=asked, headers=GZIP)
        for method in ("GET", "HEAD")
    ]
    for changing in ("x-request-id", "date"):
        got.headers.pop(changing, None), head.headers.pop(changing, None)
    assert (coding(head), head.headers) == ("gzip", got.headers)


@on_sqlite
async def test_errors_of_a_query_come_compressed_as_well(api: Api) -> None:
    response = await ask(api, f"{{ {LONG}: me {{ id }} }}")
    assert coding(response) == "gzip"
    assert response.json()["errors"][0]["extensions"]["reason"] == "TOKEN_MISSING"


@on_sqlite
async def test_caches_are_told_of_origins_too(settings: Settings) -> None:
    ours = "https://app.example.com"
    async with running(settings.model_copy(update={"allowed_origins": (ours,)})) as api:
        api.client.headers["Origin"] = ours
        response = await ask(api, f"{{ {LONG}: __typename }}")
    assert response.headers["vary"] == "Accept-Encoding, Origin"
    assert response.headers["access-control-allow-origin"] == ours


@on_sqlite
async def test_answer_of_a_mutation_comes_as_it_is(api: Api, plain: Person) -> None:
    for password in (PASSWORD, "wrong"):
        response = await ask(api, LOGIN % f'"{password}"', email=plain.email)
        assert len(response.content) > len(LONG)
        assert coding(response) is None
        assert "vary" not in response.headers


@on_sqlite
async def test_what_is_no_operation_comes_as_it_is(api: Api, plain: Person) -> None:
    answers = [
        await api.client.post("/graphql", json=[], headers=GZIP),
        await api.client.post("/introspect", data={"token": plain.token}, headers=GZIP),
        await api.client.get("/.well-known/jwks.json", headers=GZIP),
        await api.client.get("/graphql", headers=GZIP | {"Accept": "text/html"}),
        await api.client.get("/readyz", headers=GZIP),
    ]
    assert [answer.status_code for answer in answers] == [400, 200, 200, 200, 200]
    assert {coding(answer) for answer in answers} == {None}


@on_sqlite
async def test_metrics_come_compressed(api: Api) -> None:
    response = await api.client.get("/metrics", headers=GZIP)
    assert coding(response) == "gzip"
    assert list(text_string_to_metric_families(response.text))


def reached(schema: GraphQLSchema, root: GraphQLObjectType) -> dict[str, GraphQLObjectType]:
    """Find the types of objects that a root leads to, however deep."""
    found = {root.name: root}
    queue = [root]
    while queue:
        for field in queue.pop().fields.values():
            kind = get_named_type(field.type)
            if is_abstract_type(kind):
                kinds = list(schema.get_possible_types(kind))
            else:
                kinds = [kind] if is_object_type(kind) else []
            new = {each.name: each for each in kinds if each.name not in found}
            found |= new
            queue += new.values()
    return found


def test_no_query_answers_a_secret() -> None:
    schema = build_schema().core
    assert schema.query_type
    assert schema.mutation_type
    read = reached(schema, schema.query_type)
    assert {"Customer", "Session"} <= read.keys()
    written = reached(schema, schema.mutation_type).keys() - read.keys()
    assert written >= SECRET
    for kind in read.values():
        for name, field in kind.fields.items():
            if is_leaf_type(get_named_type(field.type)):
                assert not re.search(NAMES, name, re.IGNORECASE), (kind, name)
