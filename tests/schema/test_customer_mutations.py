"""Creating, changing and deleting customers: what is done, and what is to be mended."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.api import Api
from tests.people import PASSWORD, Person, add_customer

PAYLOAD: Final = "status message retryAfter errors { code field message }"
CUSTOMER: Final = "customer { id name email phone locale isActive isAdmin createdAt updatedAt }"
CREATE: Final = f"""mutation Create($input: CreateCustomerInput!) {{
  done: createCustomer(input: $input) {{ {PAYLOAD} {CUSTOMER} }}
}}"""
UPDATE: Final = f"""mutation Update($id: ID!, $input: UpdateCustomerInput!) {{
  done: updateCustomer(id: $id, input: $input) {{ {PAYLOAD} {CUSTOMER} }}
}}"""
DELETE: Final = f"mutation Delete($id: ID!) {{ done: deleteCustomer(id: $id) {{ {PAYLOAD} }} }}"
LOGIN: Final = """mutation Login($email: String!, $password: String!) {
  done: login(email: $email, password: $password) { status }
}"""
NEW: Final[Mapping[str, object]] = {
    "name": "Nora New",
    "email": "nora@example.com",
    "password": PASSWORD,
}
NOBODY: Final = "00000000-0000-7000-8000-000000000000"
CONTROLS: Final = ("\0", "\x07", "\x1b", "\x7f", "\x85", "\n", "\t")
FAULTS: Final[list[tuple[str, str, str]]] = [
    ("name", "", "REQUIRED"),
    ("name", " \u2003\t", "REQUIRED"),
    ("name", "x" * 201, "TOO_LONG"),
    ("email", "", "REQUIRED"),
    ("email", " ", "REQUIRED"),
    ("email", "nobody", "INVALID"),
    ("email", "@example.com", "INVALID"),
    ("email", "two@ats@example.com", "INVALID"),
    ("email", "spaced out@example.com", "INVALID"),
    ("email", "Nora <nora@example.com>", "INVALID"),
    ("email", f"{'x' * 250}@example.com", "TOO_LONG"),
    ("phone", "", "REQUIRED"),
    ("phone", "call me", "INVALID"),
    ("phone", "1" * 41, "TOO_LONG"),
    ("locale", "", "INVALID"),
    ("locale", "de_CH", "INVALID"),
    ("password", "", "REQUIRED"),
    ("password", "ninechars", "WEAK_PASSWORD"),
    ("password", "x" * 201, "TOO_LONG"),
    ("password", "1234567890", "WEAK_PASSWORD"),
    ("password", "QWERTYUIOP", "WEAK_PASSWORD"),
    *(
        (field, text.replace("_", control), "INVALID")
        for field, text in (
            ("name", "Nora_New"),
            ("email", "no_ra@example.com"),
            ("phone", "555_0100"),
            ("password", "a password_for tests"),
        )
        for control in CONTROLS
    ),
]
"""What is put into a field, and the code that it is refused with."""


async def run(api: Api, person: Person, document: str, **variables: Any) -> dict[str, Any]:  # noqa: ANN401 — variables are JSON
    """Run a mutation; it answers a payload and never a top-level error."""
    done: dict[str, Any] = (await api.run(document, token=person.token, **variables)).data["done"]
    assert done["message"]
    assert (done["status"] == "SUCCESS") == (done["errors"] == [])
    if done["errors"]:
        assert done.get("customer") is None
        assert done["retryAfter"] is None
        assert all(len(error["message"]) > 10 for error in done["errors"])
    return done


def faults(done: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """List what is to be mended: codes and fields."""
    return [(error["code"], error["field"]) for error in done["errors"]]


async def test_create_answers_the_customer(api: Api, admin: Person) -> None:
    more = {"phone": " +1 (555) 0100 x1 ", "isAdmin": True, "locale": "zh-HANT-tw"}
    created = await run(api, admin, CREATE, input={**NEW, **more, "name": "  Nora New "})
    customer = created["customer"]
    assert created["status"] == "SUCCESS"
    assert created["retryAfter"] is None
    assert "Nora New" in created["message"]
    assert customer.pop("createdAt") == customer.pop("updatedAt")
    assert customer.pop("id")
    assert customer == {
        "name": "Nora New",
        "email": "nora@example.com",
        "phone": "+1 (555) 0100 x1",
        "locale": "zh-Hant-TW",
        "isActive": True,
        "isAdmin": True,
    }


async def test_create_makes_a_plain_customer_by_default(api: Api, admin: Person) -> None:
    customer = (await run(api, admin, CREATE, input={**NEW, "phone": None}))["customer"]
    assert (customer["isAdmin"], customer["phone"]) == (False, None)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("nora@example.com", "pässword of hers"),
        (" NORA@EXAMPLE.COM ", "pa\u0308ssword of hers"),
    ],
)
async def test_created_customer_signs_in_however_they_type(
    api: Api, admin: Person, email: str, password: str
) -> None:
    await run(api, admin, CREATE, input={**NEW, "password": "pässword of hers"})
    signed_in = await api.run(LOGIN, email=email, password=password)
    assert signed_in.data["done"] == {"status": "SUCCESS"}


async def test_faulty_field_is_reported_with_its_code(
    api: Api, plain: Person, admin: Person
) -> None:
    for field, text, code in FAULTS:
        created = await run(api, admin, CREATE, input={**NEW, field: text})
        updated = await run(api, admin, UPDATE, id=str(plain.id), input={field: text})
        assert faults(created) == faults(updated) == [(code, field)], (field, text)


@pytest.mark.parametrize("password", ["Nora Newcomer", "NORA NEWCOMER", "nora@example.com"])
async def test_password_that_is_the_name_or_email_is_weak(
    api: Api, admin: Person, password: str
) -> None:
    person = {"name": "nora newcomer", "email": "Nora@example.com"}
    created = await run(api, admin, CREATE, input={**person, "password": password})
    assert faults(created) == [("WEAK_PASSWORD", "password")]
    row = await add_customer(api.database, "Nora Newcomer")
    updated = await run(api, admin, UPDATE, id=str(row.id), input={"password": password})
    assert faults(updated) == [("WEAK_PASSWORD", "password")]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", "x" * 200),
        ("name", "x"),
        ("name", "Ωmega 🙂 O’Brien-Çelik"),
        ("password", f"{'long passphrase, ' * 11}thirteen more"),
        ("password", "🐴🔋📎🌈🎲🍋🛶🧭🪁🧩"),
        ("password", f"{'long passphrase with spaces ' * 2}🙂"),
    ],
)
async def test_longest_and_shortest_are_taken(
    api: Api, admin: Person, field: str, text: str
) -> None:
    assert (await run(api, admin, CREATE, input={**NEW, field: text}))["status"] == "SUCCESS"


async def test_all_faults_are_reported_at_once(api: Api, admin: Person, plain: Person) -> None:
    bad = {"name": " ", "email": "nobody", "password": "short", "phone": "?"}
    expected = [
        ("REQUIRED", "name"),
        ("INVALID", "email"),
        ("WEAK_PASSWORD", "password"),
        ("INVALID", "phone"),
    ]
    created = await run(api, admin, CREATE, input=bad)
    updated = await run(api, admin, UPDATE, id=str(plain.id), input=bad)
    assert sorted(faults(created)) == sorted(faults(updated)) == sorted(expected)


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@Example.COM", " Ada@example.com "])
async def test_address_is_taken_in_any_case(
    api: Api, plain: Person, other: Person, admin: Person, email: str
) -> None:
    created = await run(api, admin, CREATE, input={**NEW, "email": email})
    updated = await run(api, admin, UPDATE, id=str(other.id), input={"email": email})
    assert faults(created) == faults(updated) == [("TAKEN", "email")]
    kept = await run(api, admin, UPDATE, id=str(plain.id), input={"email": email})
    assert kept["customer"]["email"].casefold() == "ada@example.com"


async def test_of_ten_racing_for_one_address_one_gets_it(api: Api, admin: Person) -> None:
    emails = ["nora@example.com", "NORA@example.com"] * 5
    done = await asyncio.gather(
        *(run(api, admin, CREATE, input={**NEW, "email": email}) for email in emails)
    )
    outcomes = sorted(faults(payload) for payload in done)
    assert outcomes == [[], *[[("TAKEN", "email")]] * 9]
    listed = await api.run("{ customers { totalCount } }", token=admin.token)
    assert listed.data["customers"] == {"totalCount": 2}


@pytest.mark.parametrize("customer_id", [NOBODY, "no UUID", "", "\0"])
async def test_unknown_customer_is_not_found(api: Api, admin: Person, customer_id: str) -> None:
    updated = await run(api, admin, UPDATE, id=customer_id, input={"name": "Nora"})
    deleted = await run(api, admin, DELETE, id=customer_id)
    assert faults(updated) == faults(deleted) == [("NOT_FOUND", "id")]


async def test_update_changes_what_is_given_and_no_more(
    api: Api, plain: Person, admin: Person
) -> None:
    before = (await run(api, admin, UPDATE, id=str(plain.id), input={}))["customer"]
    assert before["phone"] == "+1 555 0100"
    changed = {"name": "Ada New", "phone": "555", "email": "ada.new@example.com"}
    flags = {"isAdmin": True, "isActive": False}
    for given in ({"phone": None}, changed, {"locale": "de-CH"}, {"locale": None}, flags):
        after = (await run(api, admin, UPDATE, id=str(plain.id), input=given))["customer"]
        assert after["updatedAt"] > before["updatedAt"]
        assert after == {**before, **given, "updatedAt": after["updatedAt"]}
        before = after


@pytest.mark.parametrize("field", ["name", "email", "isAdmin", "isActive", "password"])
async def test_null_is_invalid_but_for_the_phone(
    api: Api, plain: Person, admin: Person, field: str
) -> None:
    given = {field: None, "phone": None}
    assert faults(await run(api, admin, UPDATE, id=str(plain.id), input=given)) == [
        ("INVALID", field)
    ]
    kept = (await run(api, admin, UPDATE, id=str(plain.id), input={}))["customer"]
    assert kept["phone"] == "+1 555 0100"


async def test_password_set_by_an_admin_replaces_the_old_one(
    api: Api, plain: Person, admin: Person
) -> None:
    given = {"password": "another good password"}
    await run(api, admin, UPDATE, id=str(plain.id), input=given)
    for password, status in ((PASSWORD, "ERROR"), ("another good password", "SUCCESS")):
        answer = await api.run(LOGIN, email=plain.email, password=password)
        assert answer.data["done"] == {"status": status}


async def test_deleted_customer_is_gone(api: Api, plain: Person, admin: Person) -> None:
    assert (await run(api, admin, DELETE, id=str(plain.id)))["status"] == "SUCCESS"
    answer = await api.run(
        f'{{ customer(id: "{plain.id}") {{ id }} customers {{ totalCount }} }}', token=admin.token
    )
    assert answer.data == {"customer": None, "customers": {"totalCount": 1}}
    assert faults(await run(api, admin, DELETE, id=str(plain.id))) == [("NOT_FOUND", "id")]
    assert (await run(api, admin, CREATE, input={**NEW, "email": plain.email}))["customer"]
