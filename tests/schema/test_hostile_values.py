"""Hostile values in every place that takes one: bounded work, and an answer in good form."""

import json
import unicodedata
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any, Final

import pytest

from gql_app.lib.text import LONGEST_DECOMPOSITION, MAX_EMAIL
from gql_app.settings import Settings
from tests.api import Api, running
from tests.letterbox import Letterbox
from tests.people import Person, add_customer, sign_in
from tests.schema.mutations import do
from tests.schema.places import SCHEMA, Place, places

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

TEXTS: Final = {
    "alternating marks": "\u0301\u0327" * 8_192,
    "marks of no class": "\u0f73" * 16_384,
    "letters and marks": "a\u0301\u0327" * 5_461,
    "letters": "a" * 16_384,
    "blanks": " " * 16_384,
    "an address": "a@" + "b." * 8_000 + "com",
    "a run of 31 marks": "good e-mail@example.com e" + "\u0301" * 31,
    "half a run": "e\u0301\u0327" * 84,
}
CODES: Final = {
    *("INVALID", "INVALID_CREDENTIALS", "NOT_FOUND", "REQUIRED", "TOO_LONG", "WRONG_PASSWORD"),
    *("MAIL_NOT_SET_UP", "TAKEN", "TOKEN_INVALID", "WEAK_PASSWORD"),
    *("INVALID_CODE", "NOT_ENABLED", "TOO_MANY_ATTEMPTS"),
}
NUMBERS: Final = [
    "9" * 4_301,
    "-" + "9" * 4_301,
    "9" * 6_000,
    "1" + "0" * 4_300 + ".5",
    "9" * 4_300,
]


@pytest.fixture
def normalised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Take down how long each text is that is normalised, by whichever library."""
    lengths: list[int] = []
    real: Callable[..., str] = unicodedata.normalize

    def spy(form: str, given: str) -> str:
        lengths.append(len(given))
        return real(form, given)

    monkeypatch.setattr(unicodedata, "normalize", spy)
    return lengths


@pytest.fixture
async def open_api(settings: Settings, letterbox: Letterbox) -> AsyncIterator[Api]:
    """Run the API without throttles, with mail and all that it allows."""
    assert letterbox.open
    wide = {"login_attempts": 10**6, "login_client_attempts": 10**6}
    async with running(settings.model_copy(update={**wide, "sign_in_links": True})) as api:
        yield api


async def an_admin(api: Api) -> Person:
    """Sign in an admin."""
    row = await add_customer(api.database, "Grace Admin", is_admin=True)
    return await sign_in(api.resources, row)


@cache
def document_of(place: Place) -> str:
    """Return an operation whose variables are the value, an id and a link's token.

    It is the same in every test, so that it is validated once.
    """
    document, declared = place.document("$value", id="$id", token="$link"), f"$value: {place.kind}!"
    for name, kind in (("$id", "ID!"), ("$link", "String!")):
        if f'"{name}"' in document:
            document, declared = document.replace(f'"{name}"', name), f"{declared} {name}: {kind}"
    return document.replace(" ", f"({declared}) ", 1)


def check_form(place: Place, body: dict[str, Any], *, by_admin: bool) -> None:
    """Assert that an answer is in the contract's form, and tells no more than one of its codes."""
    codes = [error["extensions"]["code"] for error in body.get("errors", [])]
    assert set(codes) <= {"BAD_USER_INPUT"} | (set() if by_admin else {"UNAUTHENTICATED"}), place
    payload: dict[str, Any] = (body.get("data") or {}).get(place.field) or {}
    if place.operation == "mutation" and not codes:
        told = {error["code"] for error in payload["errors"]}
        assert told <= CODES, (str(place), told)
        assert bool(told) == (payload["status"] == "ERROR")
        assert payload["message"]


@ON_SQLITE
@pytest.mark.parametrize("text", TEXTS)
async def test_text_of_any_argument_is_bounded_before_it_is_normalised(
    open_api: Api, letterbox: Letterbox, normalised: list[int], text: str
) -> None:
    admin = await an_admin(open_api)
    await do(open_api, "requestPasswordReset", email=admin.email)
    link = await letterbox.link()
    everywhere = places("String", "ID")
    assert {place.field for place in everywhere} >= {"login", "register", "updateMe", "customers"}
    for place in everywhere:
        given: dict[str, Any] = {"value": TEXTS[text], "id": str(admin.id), "link": link}
        for token in (None, admin.token):
            answer = await open_api.run(document_of(place), token=token, **given)
            assert answer.status == 200
            check_form(place, answer.body, by_admin=token is not None)
    assert max(normalised, default=0) <= LONGEST_DECOMPOSITION * MAX_EMAIL


@pytest.mark.parametrize("text", ["\0", "a\0b@example.com", "é\0" * 18])
async def test_null_character_of_any_argument_is_answered_in_good_form(
    open_api: Api, letterbox: Letterbox, text: str
) -> None:
    admin = await an_admin(open_api)
    await do(open_api, "requestPasswordReset", email=admin.email)
    link = await letterbox.link()
    given: dict[str, Any] = {"value": text, "id": str(admin.id), "link": link}
    for place in places("String", "ID"):
        for token in (None, admin.token):
            answer = await open_api.run(document_of(place), token=token, **given)
            assert answer.status == 200
            check_form(place, answer.body, by_admin=token is not None)


def test_every_text_of_the_schema_has_its_place() -> None:
    named = {str(place) for place in places("String", "ID")}
    assert named >= {"login.password", "register.input.name", "customers.filter.search"}
    assert SCHEMA.mutation_type
    assert SCHEMA.mutation_type.fields.keys() - {place.field for place in places()} == {
        *("logout", "endOtherSessions", "requestEmailVerification"),
        *("beginCodes", "renewRecoveryCodes"),
        *("beginPasskey", "beginPasskeySignIn"),
    }


@ON_SQLITE
@pytest.mark.parametrize("number", NUMBERS)
async def test_number_of_thousands_of_digits_is_refused_in_words_of_ours(
    api: Api, admin: Person, number: str
) -> None:
    assert {str(place) for place in places("Int", "Float")} >= {"customers.first"}
    for place in places():
        both = f"a: {place.selection(number)} b: {place.selection('$value')}"
        document = f"{place.operation}($value: {place.kind} = {number}) {{ {both} }}"
        told = [await api.run(document, token=admin.token)]
        told += [await api.run(place.document(f"[{number}]"), token=admin.token)]
        for answer in told:
            for error in answer.errors:
                assert error["extensions"]["code"] in {
                    *("GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT", "GRAPHQL_PARSE_FAILED")
                }, (str(place), error)
                assert "Exceeds" not in error["message"]
                assert "sys." not in error["message"]
                assert len(error["message"]) <= 1000


@ON_SQLITE
@pytest.mark.parametrize("digits", [20, 300, 4_301, 100_000])
async def test_variable_of_thousands_of_digits_is_refused_in_words_of_ours(
    api: Api, admin: Person, digits: int
) -> None:
    for place in places("Int", "Float", "DateTime", "Boolean"):
        query = json.dumps(place.document("$value", f"($value: {place.kind})"))
        body = f'{{"query": {query}, "variables": {{"value": {"9" * digits}}}}}'
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {admin.token}"}
        answer = await api.client.post("/graphql", content=body, headers=headers)
        [error] = answer.json()["errors"]
        assert error["extensions"]["code"] in {"BAD_USER_INPUT", "BAD_REQUEST"}
        assert "sys." not in error["message"]
        assert "line 1" not in error["message"]
