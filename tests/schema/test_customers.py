"""Customers: what is shown of them and to whom, one by one and side by side."""

import re
from datetime import datetime
from typing import Final
from uuid import UUID

import pytest
from graphql import GraphQLOutputType, get_named_type, is_leaf_type, is_object_type

from gql_app.cli import imports
from gql_app.cli.records import Record
from gql_app.db.tables import CustomerRow
from gql_app.lib import clock
from tests.api import Answer, Api
from tests.people import PASSWORD, Kind, Person, add_customer, password_hash
from tests.rows import change
from tests.schema.agreement import BOTH_WAYS
from tests.schema.places import SCHEMA

PRIVATE: Final = ("email", "phone", "isActive", "sessions")
SESSIONS: Final = "sessions { id isCurrent }"
SHOWN: Final = f"""
fragment Shown on Customer {{
  name isAdmin email phone isActive {SESSIONS}
}}
"""
WAYS: Final = {
    "customer": 'one: customer(id: "%(id)s") { ...Shown }',
    "nodes": 'list: customers(filter: {search: "%(name)s"}) { nodes { ...Shown } }',
    "edges": 'list: customers(filter: {search: "%(name)s"}) { edges { node { ...Shown } } }',
}
ONE: Final = "query One($id: ID!) { customer(id: $id) { id name } }"
MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
SEARCH: Final = """
query Search($text: String!) {
  customers(filter: {search: $text}) { totalCount nodes { id } edges { node { id } } }
}
"""
FOUND: Final = {
    "needle": (0, 1),
    "needle@example.com": (0, 1),
    "NEEDLE@EXAMPLE": (0, 1),
    "ada@example.com": (0, 1),  # not even one's own
    "@": (0, 4),
    "haystack": (1, 1),
    "ADA PLAIN": (1, 1),
}
"""What is searched for, and how many a plain customer and an admin find."""
ENDS_OF_TIME: Final = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")
LOGIN: Final = """
mutation Login($email: String!, $password: String!) {
  login(email: $email, password: $password) { token customer { createdAt updatedAt } }
}
"""
DATED: Final = """
query Dated($after: String) {
  customers(filter: {search: "ned"}, after: $after) {
    nodes { createdAt updatedAt }
    edges { cursor node { createdAt updatedAt } }
    pageInfo { endCursor hasPreviousPage }
  }
}
"""


async def seen(api: Api, way: str, customer: Person, token: str | None) -> dict[str, object] | None:
    """Look at a customer in one of the ways; None if the whole field is refused."""
    asked = WAYS[way] % {"id": customer.id, "name": customer.name}
    whole = shown(await api.run(f"{{ {asked} }} {SHOWN}", token=token))
    # Sessions have a resolver of their own, so that only without them is a query compiled.
    quick = shown(await api.run(f"{{ {asked} }} {SHOWN.replace(SESSIONS, '')}", token=token))
    assert quick == (whole and {name: whole[name] for name in whole if name != "sessions"})
    return whole


def shown(answer: Answer) -> dict[str, object] | None:
    """Find the one customer in an answer; None if the whole field is refused."""
    if answer.errors:
        assert list(answer.body["data"].values()) == [None]
        return None
    match answer.data:
        case {"one": dict(found)} | {"list": {"nodes": [found]} | {"edges": [{"node": found}]}}:
            return dict(found)
    pytest.fail(f"there is not one customer: {answer.body}")


@BOTH_WAYS
@pytest.mark.parametrize("way", WAYS)
async def test_private_fields_are_for_the_customer_and_for_admins(
    api: Api, tokens: dict[Kind, str | None], plain: Person, way: str
) -> None:
    public = {"name": plain.name, "isAdmin": False}
    private = {"email": plain.email, "phone": "+1 555 0100", "isActive": True}
    session = {"id": str(plain.session_id)}
    found = {kind: await seen(api, way, plain, token) for kind, token in tokens.items()}
    assert found == {
        Kind.ANONYMOUS: None,
        Kind.EXPIRED: None,
        Kind.REVOKED: None,
        Kind.OTHER: public | dict.fromkeys(PRIVATE),
        Kind.PLAIN: public | private | {"sessions": [session | {"isCurrent": True}]},
        Kind.ADMIN: public | private | {"sessions": [session | {"isCurrent": False}]},
    }


@BOTH_WAYS
@pytest.mark.parametrize("shape", ["nodes {{ {} }}", "edges {{ node {{ {} }} }}"])
async def test_every_field_is_the_same_in_lists(
    api: Api, plain: Person, other: Person, admin: Person, shape: str
) -> None:
    samples = {str: "filled", datetime: clock.now(), UUID: None}
    optional = [each for each in CustomerRow.__table__.c if each.nullable]
    filled = {each.key: samples[each.type.python_type] for each in optional}
    async with api.database.transaction() as db:
        await change(db, CustomerRow, plain.id, **filled)
    customer = SCHEMA.get_type("Customer")
    assert is_object_type(customer)
    leaves = {name for name, each in customer.fields.items() if is_leaf(each.type)}
    resolved = "recoveryCodesLeft sessions { id } secondFactors { id }"
    assert customer.fields.keys() == leaves | {"sessions", "secondFactors"}
    which = f'(filter: {{search: "{plain.name}"}})'
    for person in (plain, other, admin):
        for asked in (*leaves, " ".join(leaves), *(f"{each} {resolved}" for each in leaves)):
            one = f'one: customer(id: "{plain.id}") {{ {asked} }}'
            many = f"many: customers{which} {{ {shape.format(asked)} }}"
            answer = (await api.run(f"{{ {one} {many} }}", token=person.token)).data
            assert person is other or None not in answer["one"].values()
            assert answer["many"] in (
                {"nodes": [answer["one"]]},
                {"edges": [{"node": answer["one"]}]},
            )


def is_leaf(kind: GraphQLOutputType) -> bool:
    """Return whether a type is a scalar, or a list of scalars."""
    return is_leaf_type(get_named_type(kind))


@BOTH_WAYS
@pytest.mark.parametrize("way", WAYS)
async def test_admins_private_fields_are_not_for_others(
    api: Api, plain: Person, admin: Person, way: str
) -> None:
    found = await seen(api, way, admin, plain.token)
    assert found == {"name": admin.name, "isAdmin": True} | dict.fromkeys(PRIVATE)


@pytest.mark.parametrize("kind", [Kind.PLAIN, Kind.OTHER, Kind.ADMIN])
async def test_me_shows_the_caller_all_of_themself(
    api: Api, plain: Person, other: Person, admin: Person, kind: Kind
) -> None:
    person = {Kind.PLAIN: plain, Kind.OTHER: other, Kind.ADMIN: admin}[kind]
    me = (await api.run("{ me { ...Shown } }" + SHOWN, token=person.token)).data["me"]
    assert me == {
        "name": person.name,
        "isAdmin": kind is Kind.ADMIN,
        "email": person.email,
        "phone": "+1 555 0100" if kind is Kind.PLAIN else None,
        "isActive": True,
        "sessions": [{"id": str(person.session_id), "isCurrent": True}],
    }


async def test_login_shows_the_customer_to_themself(api: Api, plain: Person) -> None:
    document = """mutation Login($email: String!, $password: String!) {
      login(email: $email, password: $password) { customer { ...Shown } }
    }"""
    answer = await api.run(document + SHOWN, email=plain.email, password=PASSWORD)
    customer = answer.data["login"]["customer"]
    assert (customer["email"], customer["phone"]) == (plain.email, "+1 555 0100")
    assert customer["isActive"] is True
    assert sorted(session["isCurrent"] for session in customer["sessions"]) == [False, True]


@BOTH_WAYS
@pytest.mark.parametrize("moment", ENDS_OF_TIME)
async def test_customer_of_either_end_of_time_is_shown_as_any_other(
    api: Api, plain: Person, moment: str
) -> None:
    record = {
        "name": "Old Ned",
        "email": "ned@example.com",
        "password_hash": password_hash(),
        "created_at": moment,
        "updated_at": moment,
    }
    async with api.database.transaction() as db:
        assert await imports.add(db, [Record(1, record)], api.resources.rules) == []
    async with api.elsewhere("203.0.113.5") as there:
        login = (await there.run(LOGIN, email="ned@example.com", password=PASSWORD)).data["login"]
    dates = {"createdAt": moment, "updatedAt": moment}
    assert login["customer"] == dates
    assert (await api.run("{ me { createdAt updatedAt } }", token=login["token"])).data == {
        "me": dates
    }
    shown = (await api.run(DATED, token=plain.token)).data["customers"]
    assert shown["nodes"] == [dates]
    assert shown["edges"] == [{"node": dates, "cursor": shown["pageInfo"]["endCursor"]}]
    after = (await api.run(DATED, token=plain.token, after=shown["pageInfo"]["endCursor"])).data
    assert after["customers"]["nodes"] == []
    assert after["customers"]["pageInfo"]["hasPreviousPage"] is True


async def test_only_admins_search_by_email(api: Api, plain: Person, admin: Person) -> None:
    await add_customer(api.database, "Hay Haystack", "needle@example.com")
    await add_customer(api.database, "Bob Builder")
    found = {}
    for text in FOUND:
        pages = [
            (await api.run(SEARCH, token=person.token, text=text)).data["customers"]
            for person in (plain, admin)
        ]
        found[text] = tuple(len(page["nodes"]) for page in pages)
        assert found[text] == tuple(len(page["edges"]) for page in pages)
        assert found[text] == tuple(page["totalCount"] for page in pages)
    assert found == FOUND


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_only_admins_sort_by_email(
    api: Api, plain: Person, admin: Person, direction: str
) -> None:
    document = f"""{{
      customers(orderBy: {{field: EMAIL, direction: {direction}}}) {{ nodes {{ email }} }}
    }}"""
    refused = await api.run(document, token=plain.token)
    assert refused.code("customers") == "FORBIDDEN"
    assert refused.reason("customers") == "ADMIN_REQUIRED"
    assert "e-mail" in refused.error("customers")["message"]
    nodes = (await api.run(document, token=admin.token)).data["customers"]["nodes"]
    emails = [node["email"] for node in nodes]
    assert emails == sorted([plain.email, admin.email], reverse=direction == "DESC")


async def test_unknown_customer_is_null_without_an_error(api: Api, admin: Person) -> None:
    nobody = "00000000-0000-7000-8000-000000000000"
    upper, braced = str(admin.id).upper(), f"{{{admin.id}}}"
    for customer_id in (nobody, upper, braced, "no UUID", "", "\0", 1, "é" * 36, "x" * 9_999):
        answer = await api.run(ONE, token=admin.token, id=customer_id)
        assert answer.data == {"customer": None}


async def test_known_customer_is_found_by_their_id(api: Api, plain: Person, other: Person) -> None:
    answer = await api.run(ONE, token=plain.token, id=str(other.id))
    assert answer.data == {"customer": {"id": str(other.id), "name": other.name}}


async def test_moments_are_written_in_utc(api: Api, plain: Person) -> None:
    me = (
        await api.run(
            "{ me { createdAt updatedAt sessions { createdAt lastUsedAt expiresAt } } }",
            token=plain.token,
        )
    ).data["me"]
    [session] = me.pop("sessions")
    moments = [*me.values(), *session.values()]
    assert len(moments) == 5
    assert all(MOMENT.fullmatch(moment) for moment in moments)
