"""Privacy: every way to a customer's private fields, for who lacks the permission to see them."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import pytest
from graphql import get_named_type, is_object_type

from gql_app.accounts import records
from gql_app.accounts.permissions import Role
from gql_app.db.tables import CustomerRow
from gql_app.extending.feature import Feature
from gql_app.lib import clock
from gql_app.lib.composition import WHO_MAY_ASK
from gql_app.schema.permissions import PRIVATE
from gql_app.schema.root import build_schema
from gql_app.settings import Settings
from tests.api import Api, running
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.rows import change
from tests.schema.mutations import faults, send
from tests.statements import listened

CURIOUS: Final = Role("curious", {"audit:read", "customers:write", "sessions:end"})
"""Every permission but the one to see what is private."""
FEATURE: Final = Feature("desk", roles=[CURIOUS])
PLAIN: Final = ("email", "phone", "isActive", "roles", "emailVerifiedAt", "pendingEmail", "locale")
NUMBERS: Final = ("recoveryCodesLeft",)
LISTS: Final = ("sessions", "secondFactors")
FIELDS: Final = f"name {' '.join((*PLAIN, *NUMBERS))} {' '.join(f'{n} {{ id }}' for n in LISTS)}"
HIDDEN: Final = dict.fromkeys((*PLAIN, *NUMBERS, *LISTS))
WAYS: Final[Mapping[str, str]] = {
    "Query.customer": "{ customer(id: $id) { FIELDS } }",
    "Query.node": "{ node(id: $id) { ... on Customer { FIELDS } } }",
    "Query.nodes": "{ nodes(ids: [$id]) { ... on Customer { FIELDS } } }",
    "CustomerConnection.nodes": "{ customers { nodes { FIELDS } } }",
    "CustomerEdge.node": "{ customers(last: 50) { edges { node { FIELDS } } } }",
    "AuditEvent.actor": "{ auditEvents(customerId: $id) { nodes { actor { FIELDS } } } }",
    "AuditEvent.customer": "{ auditEvents(customerId: $id) { nodes { customer { FIELDS } } } }",
    "CustomerPayload.customer": (
        "mutation { updateCustomer(id: $id, input: {phone: null}) { customer { FIELDS } } }"
    ),
}
"""A document for each field that answers a customer, who may be another than the caller."""
TOLD: Final = PRIVATE[WHO_MAY_ASK]
"""What the description of a private field says."""
ONESELF: Final = {"Query.me", "LoginPayload.customer"}
"""Those that answer the caller alone."""


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """Run the API with a role that lacks one permission."""
    async with running(settings, features=[FEATURE]) as api:
        yield api


@pytest.fixture
async def curious(api: Api) -> Person:
    """Sign in who may do everything but see what is private."""
    row = await add_customer(api.database, "Carl Curious", roles=["curious"])
    return await sign_in(api.resources, row)


def customers_in(value: object) -> list[dict[str, Any]]:
    """Find every customer in an answer."""
    if isinstance(value, list):
        return [found for each in value for found in customers_in(each)]
    if not isinstance(value, dict):
        return []
    if "name" in value:
        return [value]
    return [found for each in value.values() for found in customers_in(each)]


def test_every_field_that_answers_a_customer_is_tried() -> None:
    types = build_schema().core.type_map.values()
    fields = {
        f"{kind}.{name}"
        for kind in types
        if is_object_type(kind)
        for name, field in kind.fields.items()
        if get_named_type(field.type).name in {"Customer", "Node"}
    }
    assert fields == {*WAYS, *ONESELF}


def test_every_field_that_is_said_to_be_private_is_asked_for() -> None:
    customer = build_schema().core.type_map["Customer"]
    assert is_object_type(customer)
    told = {name for name, each in customer.fields.items() if TOLD in (each.description or "")}
    assert told == HIDDEN.keys()


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_private_is_null_whichever_way_it_is_asked_for(
    api: Api, curious: Person, plain: Person, way: str
) -> None:
    registered = "mutation { login(email: %s, password: %s) { status } }"
    await api.run(registered % (f'"{plain.email}"', f'"{PASSWORD}"'))
    document = WAYS[way].replace("FIELDS", FIELDS).replace("$id", f'"{plain.id}"')
    answer = await api.run(document, token=curious.token)
    [hidden] = [
        each
        for each in {str(c): c for c in customers_in(answer.data)}.values()
        if each["name"] == plain.name
    ]
    assert hidden == {"name": plain.name, **HIDDEN}
    known = {"email_verified_at": clock.now(), "pending_email": "a@example.org", "locale": "de"}
    async with api.database.transaction() as db:
        await change(db, CustomerRow, plain.id, **known)
    as_owner = await api.run(f"{{ me {{ {FIELDS} }} }}", token=plain.token)
    assert None not in {**as_owner.data["me"], "phone": ""}.values()


@pytest.mark.parametrize("way", [way for way in WAYS if way != "CustomerPayload.customer"])
async def test_deactivated_customer_is_null_whichever_way_they_are_asked_for(
    api: Api, curious: Person, plain: Person, admin: Person, way: str
) -> None:
    await send(api, "login", {"email": plain.email, "password": PASSWORD})
    closing = {"id": str(plain.id), "input": {"isActive": False}}
    await send(api, "updateCustomer", closing, token=admin.token)
    document = WAYS[way].replace("FIELDS", "name").replace("$id", f'"{plain.id}"')
    seen = []
    for who in (curious, admin):
        answer = await api.run(document, token=who.token)
        seen.append({each["name"] for each in customers_in(answer.data)})
    assert plain.name not in seen[0]
    assert plain.name in seen[1]


async def test_nothing_private_can_be_sorted_filtered_or_counted_by(
    api: Api, curious: Person, plain: Person, admin: Person
) -> None:
    sorting = "{ customers(orderBy: {field: EMAIL}) { nodes { id } } }"
    refusal = (await api.run(sorting, token=curious.token)).error("customers")["extensions"]
    assert refusal["permission"] == "customers:read_private"
    searching = '{ customers(filter: {search: "ada@example"}) { totalCount nodes { id } } }'
    assert (await api.run(searching, token=curious.token)).data["customers"] == {
        "totalCount": 0,
        "nodes": [],
    }
    assert (await api.run(searching, token=admin.token)).data["customers"]["totalCount"] == 1
    closing = (
        f'mutation {{ updateCustomer(id: "{plain.id}", input: {{isActive: false}}) {{ status }} }}'
    )
    assert (await api.run(closing, token=admin.token)).data["updateCustomer"]["status"] == "SUCCESS"
    counting = "{ customers { totalCount nodes { name } } }"
    counts = [
        (await api.run(counting, token=each.token)).data["customers"]["totalCount"]
        for each in (curious, admin)
    ]
    assert counts == [2, 3]
    one = f'{{ customer(id: "{plain.id}") {{ name }} }}'
    assert (await api.run(one, token=curious.token)).data["customer"] is None


NEW: Final = {"name": "Eve", "email": "new@example.org"}
TRIES: Final[Mapping[str, tuple[str, dict[str, Any], list[str]]]] = {
    "another name": ("updateCustomer", {"name": "Ada New"}, []),
    "a new address": ("updateCustomer", {"email": NEW["email"]}, []),
    "an address again": ("updateCustomer", {"email": "newer@example.org"}, []),
    "a taken address": ("updateCustomer", {"email": "nora@example.com"}, ["TAKEN"]),
    "a weak password": ("updateCustomer", {"password": "password1"}, ["WEAK_PASSWORD"]),
    "the address as a password": ("updateCustomer", {"password": "ada@example.com"}, []),
    "a customer": ("createCustomer", NEW, []),
    "a customer again": ("createCustomer", NEW | {"email": "ADA@example.com"}, ["TAKEN"]),
    "an invitation": ("inviteCustomer", NEW | {"email": "third@example.org"}, []),
    "an invitation again": ("inviteCustomer", NEW | {"email": "NORA@example.com"}, []),
    "a taken invitation": ("inviteCustomer", NEW | {"email": "ADA@example.com"}, ["TAKEN"]),
}
"""What is done to somebody else or in vain, and the codes of its faults."""


async def test_no_answer_names_an_address_or_phone_that_the_caller_may_not_see(
    settings: Settings, letterbox: Letterbox
) -> None:
    asking = settings.model_copy(update={"email_verification": "ask"})
    async with running(asking, features=[FEATURE]) as api:
        people = [
            await add_customer(api.database, name, phone=phone, roles=roles)
            for name, phone, roles in (
                ("Ada", "+1 555 0100", []),
                ("Carl", None, ["curious"]),
                ("Grace", None, ["admin"]),
            )
        ]
        ada = str(people[0].id)
        carl, grace = [await sign_in(api.resources, each) for each in people[1:]]
        nora = {"name": "Nora", "email": "nora@example.com", "phone": "+1 555 0199"}
        await send(api, "inviteCustomer", {"input": nora}, token=grace.token)
        for what, (name, given, codes) in TRIES.items():
            whom = {"id": ada} if name == "updateCustomer" else {}
            answer = await send(api, name, {**whom, "input": given}, token=carl.token)
            assert [code for code, _ in faults(answer.data[name])] == codes, what
            told = json.dumps(answer.body)
            for hidden in ("ada@example.com", "nora@example.com", "+1 555"):
                assert hidden not in told, what
        given = {"id": ada, "input": {"email": "newest@example.org"}}
        for who, current in ((carl, "unchanged"), (grace, "ada@example.com")):
            answer = await send(api, "updateCustomer", given, token=who.token)
            assert answer.data["updateCustomer"]["message"] == (
                f"Ada New is up to date. The e-mail address is {current} until the link is used "
                "that is sent to newest@example.org."
            )
    assert letterbox


NORA: Final = "nora@example.com"
GUESSES: Final[Mapping[str, tuple[Any, Any]]] = {
    "phone": ("+1 555 0100", "+1 555 0199"),
    "locale": ("de", "fr"),
    "isActive": (True, False),
    "roles": (["clerk"], []),
}
"""The private fields that may be changed without being seen: the value in force, and another."""
CHANGE: Final = """mutation ($id: ID!, $input: UpdateCustomerInput!) {
  updateCustomer(id: $id, input: $input) { status message errors { code field message }
    customer { updatedAt FIELDS } }
}""".replace("FIELDS", FIELDS)
INVITE: Final = """mutation ($input: InviteCustomerInput!) {
  inviteCustomer(input: $input) { status message errors { code } customer { updatedAt FIELDS } }
}""".replace("FIELDS", FIELDS)
EVENTS: Final = "query ($id: ID) { auditEvents(customerId: $id) { nodes { action fields } } }"


async def told(
    api: Api,
    who: Person,
    whom: str,
    query: str,
    **given: Any,  # noqa: ANN401 — variables
) -> tuple[object, ...]:
    """Return what somebody is told by a mutation: the answer, a new updatedAt, and the events."""
    seen = f'{{ node(id: "{whom}") {{ ... on Customer {{ updatedAt }} }} }}'
    before = (await api.run(seen, token=who.token)).data["node"]
    known = (await api.run(EVENTS, token=who.token, id=whom)).data["auditEvents"]["nodes"]
    answer = await api.run(query, token=who.token, **given)
    events = (await api.run(EVENTS, token=who.token, id=whom)).data["auditEvents"]["nodes"]
    [payload] = answer.data.values()
    customer = payload["customer"]
    moved = customer and customer.pop("updatedAt") != before["updatedAt"]
    new = [each for each in events[: len(events) - len(known)] if "role" not in each["action"]]
    return answer.body, moved, new


async def worker(api: Api, name: str, email: str | None = None) -> str:
    """Add somebody who has a harmless role; return their id."""
    row = await add_customer(api.database, name, email, phone="+1 555 0100", roles=["clerk"])
    async with api.database.transaction() as db:
        await change(db, CustomerRow, row.id, locale="de")
    return str(row.id)


@pytest.fixture
async def desk(settings: Settings, letterbox: Letterbox) -> AsyncIterator[Api]:  # noqa: ARG001 — letters go there
    """Run the API with a role whose only permission the curious have, too."""
    clerk = Role("clerk", {"customers:write"})
    async with running(settings, features=[Feature("desk", roles=[CURIOUS, clerk])]) as api:
        await add_customer(api.database, "Nora")
        yield api


@pytest.mark.parametrize("field", GUESSES)
async def test_guess_at_a_private_value_is_told_like_any_other_change(
    desk: Api, field: str
) -> None:
    carl = await add_customer(desk.database, "Carl", roles=["curious"])
    curious, answers = await sign_in(desk.resources, carl), []
    for number, value in enumerate(GUESSES[field]):
        ida = await worker(desk, "Ida", f"ida{number}@example.com")
        given = {field: value}
        answers.append(await told(desk, curious, ida, CHANGE, id=ida, input=given))
    assert answers[0] == answers[1]
    assert answers[0][1:] == (True, [{"action": "customer:update", "fields": [field]}])


@pytest.mark.parametrize("field", ["phone", "locale"])
async def test_guess_in_an_invitation_is_told_like_any_other(desk: Api, field: str) -> None:
    people = [
        await add_customer(desk.database, n, roles=[r])
        for n, r in (("Carl", "curious"), ("Grace", "admin"))
    ]
    carl, grace = [await sign_in(desk.resources, each) for each in people]
    answers = []
    for number, value in enumerate(GUESSES[field]):
        address = f"{field}{number}@example.org"
        invited = {"name": "Ida", "email": address, field: GUESSES[field][0]}
        await send(desk, "inviteCustomer", {"input": invited}, token=grace.token)
        again = await send(
            desk, "inviteCustomer", {"input": {"name": "Ida", "email": address}}, token=grace.token
        )
        ida = again.data["inviteCustomer"]["customer"]["id"]
        answers.append(await told(desk, carl, ida, INVITE, input=invited | {field: value}))
    assert answers[0] == answers[1]
    assert answers[0][1]


@pytest.mark.parametrize("verification", ["off", "ask", "require"])
async def test_address_in_force_is_told_like_any_that_is_taken(
    desk: Api, letterbox: Letterbox
) -> None:
    carl = await add_customer(desk.database, "Carl", roles=["curious"])
    grace = await add_customer(desk.database, "Grace", is_admin=True)
    curious, admin = await sign_in(desk.resources, carl), await sign_in(desk.resources, grace)
    ida = await worker(desk, "Ida")
    answers: list[tuple[object, ...]] = []
    sent: list[list[str]] = []
    for each in ("ida@example.com", "IDA@example.com", NORA):
        given = {"email": each, "phone": "+1 555 0177"}
        answers.append(await told(desk, curious, ida, CHANGE, id=ida, input=given))
        sent.append([])
        with listened(lambda sql, _: sent[-1].append(sql), block_only=True):
            await desk.run(CHANGE, token=curious.token, id=ida, input=given)
    assert answers[0] == answers[1] == answers[2]
    assert sent[0] == sent[1] == sent[2]  # or else its time would tell
    assert answers[0][1:] == (None, [])
    assert '"TAKEN"' in json.dumps(answers[0][0])
    seen = await send(
        desk,
        "updateCustomer",
        {"id": ida, "input": {"email": "ida@example.com"}},
        token=admin.token,
    )
    assert faults(seen.data["updateCustomer"]) == []
    assert letterbox.empty


@pytest.mark.parametrize("given", [
    {"email": "grace@example.com"}, {"email": "Grace@Example.com"}, {"email": NORA},
    {"email": "free@example.org"}, {"password": "grace@example.com"}, {"password": PASSWORD},
    {"isActive": True}, {"isActive": False}, {"roles": ["admin"]}, {"roles": []},
], ids=str)  # fmt: skip
async def test_account_with_other_permissions_is_refused_whatever_the_value(
    desk: Api, given: Mapping[str, object]
) -> None:
    carl = await add_customer(desk.database, "Carl", roles=["curious"])
    grace = str((await add_customer(desk.database, "Grace", is_admin=True)).id)
    curious = await sign_in(desk.resources, carl)
    answer = await send(desk, "updateCustomer", {"id": grace, "input": given}, token=curious.token)
    refused = await send(desk, "deleteCustomer", {"id": grace}, token=curious.token)
    errors = [
        each.error(n) for each, n in ((answer, "updateCustomer"), (refused, "deleteCustomer"))
    ]
    assert errors[0]["extensions"] == errors[1]["extensions"]
    assert errors[0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("password", ["xx-wilhelmina-9x", "wilhelmina@waterworks.example"])
async def test_no_password_is_compared_with_an_address_that_the_caller_may_not_see(
    desk: Api, password: str
) -> None:
    carl = await add_customer(desk.database, "Carl", roles=["curious"])
    grace = await add_customer(desk.database, "Grace", is_admin=True)
    ida = str((await add_customer(desk.database, "Ida", "wilhelmina@waterworks.example")).id)
    given = {"id": ida, "input": {"password": password, "phone": "x"}}
    told = []
    for who in (carl, grace):
        token = (await sign_in(desk.resources, who)).token
        answer = await send(desk, "updateCustomer", given, token=token)
        told.append(faults(answer.data["updateCustomer"]))
    assert told == [
        [("INVALID", "phone")],
        [("INVALID", "phone"), ("WEAK_PASSWORD", "password")],
    ]


async def test_rules_of_features_get_no_address_that_the_caller_may_not_see(
    settings: Settings,
) -> None:
    seen: list[str] = []

    def note(_password: str, person: records.Person) -> None:
        seen.append(person.email)

    feature = Feature("desk", roles=[CURIOUS], password_rules=[note])
    async with running(settings, features=[feature]) as api:
        ida = str((await add_customer(api.database, "Ida")).id)
        for name, role in (("Carl", "curious"), ("Grace", "admin")):
            who = await sign_in(api.resources, await add_customer(api.database, name, roles=[role]))
            given = {"id": ida, "input": {"password": "seven quiet boats"}}
            answer = await send(api, "updateCustomer", given, token=who.token)
            assert faults(answer.data["updateCustomer"]) == []
    assert seen == ["", "ida@example.com"]


async def test_own_account_is_edited_as_by_who_sees_everything(desk: Api) -> None:
    carl = await add_customer(desk.database, "Carl", roles=["curious"])
    me = await sign_in(desk.resources, carl)
    kept = {"email": me.email, "phone": None}
    own = await send(desk, "updateMe", {"input": kept}, token=me.token)
    assert faults(own.data["updateMe"]) == []
    given = {"id": str(me.id), "input": {"phone": None, "isActive": True}}
    answer = await told(desk, me, str(me.id), CHANGE, **given)
    assert answer[1:] == (False, [])
