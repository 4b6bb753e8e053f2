"""Registering: a customer more, who is signed in at once."""

import asyncio
from typing import Final

import pytest
from sqlalchemy import func, select

from gql_app.db.tables import CustomerRow
from gql_app.settings import Settings
from tests.api import Api, running
from tests.people import PASSWORD, Person
from tests.rows import value
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, token_reason

EVE = {"name": "Eve New", "email": "eve@example.com", "password": PASSWORD}
FAULTS: Final[list[tuple[dict[str, str], list[CodeAndField]]]] = [
    ({"name": " "}, [("REQUIRED", "name")]),
    ({"name": "x" * 201}, [("TOO_LONG", "name")]),
    ({"name": "Eve\r\nBcc: x"}, [("INVALID", "name")]),
    ({"email": ""}, [("REQUIRED", "email")]),
    ({"email": "eve"}, [("INVALID", "email")]),
    ({"email": "eve@example.com\r\nBcc: bob@example.com"}, [("INVALID", "email")]),
    ({"password": ""}, [("REQUIRED", "password")]),
    ({"password": "too short"}, [("WEAK_PASSWORD", "password")]),
    ({"password": "x" * 201}, [("TOO_LONG", "password")]),
    ({"password": "EVE@example.com"}, [("WEAK_PASSWORD", "password")]),
    ({"phone": ""}, [("REQUIRED", "phone")]),
    ({"phone": "call me"}, [("INVALID", "phone")]),
    ({"locale": ""}, [("INVALID", "locale")]),
    ({"locale": "de_CH"}, [("INVALID", "locale")]),
    ({"locale": "de-x-" + "a" * 40}, [("INVALID", "locale")]),
    (
        {"name": "\0", "email": "@", "password": "short", "phone": "1" * 41},
        [
            ("INVALID", "name"),
            ("INVALID", "email"),
            ("WEAK_PASSWORD", "password"),
            ("TOO_LONG", "phone"),
        ],
    ),
]


async def customers(api: Api) -> int:
    """Count the customers."""
    return await value(api.database, select(func.count()).select_from(CustomerRow))


@pytest.mark.parametrize(
    ("given", "phone"),
    [({}, None), ({"phone": None}, None), ({"phone": " +1 555 0199 "}, "+1 555 0199")],
)
async def test_register_adds_a_plain_customer_and_signs_them_in(
    api: Api, given: dict[str, object], phone: str | None
) -> None:
    registered = await do(api, "register", input={**EVE, "email": " Eve@EXAMPLE.com ", **given})
    assert faults(registered) == SUCCESS
    customer = registered["customer"]
    assert customer == {
        "id": customer["id"],
        "name": "Eve New",
        "email": "Eve@example.com",
        "phone": phone,
        "isAdmin": False,
    }
    assert await token_reason(api, registered["token"]) is None
    assert faults(await do(api, "refresh", refreshToken=registered["refreshToken"])) == SUCCESS
    assert faults(await do(api, "login", email=EVE["email"], password=PASSWORD)) == SUCCESS


@pytest.mark.parametrize(
    ("given", "header", "locale"),
    [
        ({"locale": "DE-ch"}, "fr", "de-CH"),
        ({}, "en;q=0.7, ES-mx, *;q=0.1", "es-MX"),
        ({"locale": None}, "fr", "fr"),
        ({"locale": "qaa"}, "fr", "qaa"),
        ({}, "nonsense of any kind; q=9, *", None),
        ({}, "", None),
    ],
)
async def test_locale_is_what_is_given_or_else_what_the_browser_prefers(
    api: Api, given: dict[str, str | None], header: str, locale: str | None
) -> None:
    document = (
        "mutation ($input: RegisterInput!) { register(input: $input) { customer { locale } } }"
    )
    headers = {"Accept-Language": header}
    done = await api.run(document, headers=headers, input={**EVE, **given})
    assert done.data["register"]["customer"] == {"locale": locale}


async def test_register_is_closed_where_the_settings_say_so(settings: Settings) -> None:
    async with running(settings.model_copy(update={"registration": False})) as api:
        refused = await do(api, "register", input=EVE)
        assert faults(refused) == [("REGISTRATION_CLOSED", None)]
        assert (refused["token"], refused["refreshToken"]) == (None, None)
        assert await customers(api) == 0


async def test_register_tells_that_an_address_is_taken_in_any_case(api: Api, plain: Person) -> None:
    taken = {**EVE, "email": plain.email.upper()}
    assert faults(await do(api, "register", input=taken)) == [("TAKEN", "email")]
    assert await customers(api) == 1


async def test_one_of_ten_that_race_for_an_address_registers(api: Api) -> None:
    racers = await asyncio.gather(*(do(api, "register", input=EVE) for _ in range(10)))
    told = [faults(racer) for racer in racers]
    assert told.count(SUCCESS) == 1
    assert told.count([("TAKEN", "email")]) == 9
    assert await customers(api) == 1


async def test_register_tells_what_is_wrong_with_each_field(api: Api) -> None:
    for given, told in FAULTS:
        refused = await do(api, "register", input={**EVE, **given})
        assert faults(refused) == told
        assert (refused["token"], refused["customer"]) == (None, None)
    assert await customers(api) == 0
