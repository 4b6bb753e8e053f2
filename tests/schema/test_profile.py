"""The profile: what customers change about themselves, and what that takes."""

from typing import Any, Final

import pytest

from tests.api import Api
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, token_reason

pytestmark = pytest.mark.usefixtures("letterbox")

NEW_PASSWORD = "another good one"
WRONG: list[CodeAndField] = [("WRONG_PASSWORD", "currentPassword")]
INVALID_CREDENTIALS = [("INVALID_CREDENTIALS", None)]
REFUSED_CHANGES: Final[list[tuple[dict[str, str | None], list[CodeAndField]]]] = [
    ({"email": "ada@example.org"}, [("REQUIRED", "currentPassword")]),
    ({"email": "ada@example.org", "currentPassword": None}, [("REQUIRED", "currentPassword")]),
    ({"email": "ada@example.org", "currentPassword": ""}, [("REQUIRED", "currentPassword")]),
    ({"email": "ada@example.org", "currentPassword": "wrong"}, WRONG),
    ({"email": "ada@example.org", "currentPassword": "x" * 10_000}, WRONG),
    ({"email": "ADA@example.com"}, [("REQUIRED", "currentPassword")]),
    ({"email": "adA@example.com", "currentPassword": "wrong"}, WRONG),
    ({"email": "bob@EXAMPLE.com", "currentPassword": "wrong"}, WRONG),
    ({"email": "Bob@EXAMPLE.com", "currentPassword": PASSWORD}, [("TAKEN", "email")]),
    ({"email": None, "currentPassword": PASSWORD}, [("INVALID", "email")]),
    ({"email": "ada", "currentPassword": PASSWORD}, [("INVALID", "email")]),
    ({"name": None}, [("INVALID", "name")]),
    ({"name": ""}, [("REQUIRED", "name")]),
    ({"phone": "call me"}, [("INVALID", "phone")]),
    ({"locale": "de_CH"}, [("INVALID", "locale")]),
    ({"name": "\0", "phone": "\0"}, [("INVALID", "name"), ("INVALID", "phone")]),
]
REFUSED_PASSWORDS: Final[list[tuple[str, str, list[CodeAndField]]]] = [
    ("wrong", NEW_PASSWORD, WRONG),
    ("", NEW_PASSWORD, [("REQUIRED", "currentPassword")]),
    ("x" * 10_000, NEW_PASSWORD, WRONG),
    (PASSWORD, "", [("REQUIRED", "newPassword")]),
    (PASSWORD, "too short", [("WEAK_PASSWORD", "newPassword")]),
    (PASSWORD, "ADA@example.com", [("WEAK_PASSWORD", "newPassword")]),
    (PASSWORD, "qwertyuiop", [("WEAK_PASSWORD", "newPassword")]),
    (PASSWORD, "x" * 201, [("TOO_LONG", "newPassword")]),
    (PASSWORD, "a password\0", [("INVALID", "newPassword")]),
    (PASSWORD, f"a password{chr(0x301) * 31}", [("INVALID", "newPassword")]),
    (PASSWORD, PASSWORD, [("INVALID", "newPassword")]),
    ("wrong", PASSWORD, WRONG),
]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Ada Lovelace"},
        {"phone": "+44 20 7946 0000"},
        {"phone": None},
        {"email": "ada@EXAMPLE.com", "name": "Ada L."},
        {"name": "Ada", "currentPassword": "not looked at"},
        {},
    ],
)
async def test_all_but_a_new_address_is_changed_without_a_password(
    api: Api, plain: Person, changes: dict[str, Any]
) -> None:
    done = await do(api, "updateMe", token=plain.token, input=changes)
    assert faults(done) == SUCCESS
    expected = {"name": plain.name, "email": plain.email, "phone": "+1 555 0100", **changes}
    expected.pop("currentPassword", None)
    expected["email"] = expected["email"].replace("EXAMPLE", "example")
    assert done["customer"] == {"id": str(plain.id), "isAdmin": False, **expected}


async def test_letters_are_in_the_language_of_the_locale_or_what_it_falls_back_to(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    document = (
        "mutation ($input: UpdateMeInput!) { updateMe(input: $input) { customer { locale } } }"
    )
    languages = []
    for locale, kept in (("FR-ca", "fr-CA"), ("qaa", "qaa"), ("de", "de"), (None, None)):
        done = await api.run(document, token=plain.token, input={"locale": locale})
        assert done.data["updateMe"]["customer"] == {"locale": kept}
        await do(api, "requestPasswordReset", email=plain.email)
        letter = await letterbox.next()
        assert letter.html
        assert f'<html lang="{letter.language}">' in letter.html
        languages.append((letter.language, letter.subject))
    english = ("en", "Reset your password")
    assert languages == [
        ("fr", "Réinitialisez votre mot de passe"),
        english,
        ("de", "Passwort zurücksetzen"),
        english,
    ]


async def test_new_address_is_changed_with_the_current_password(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    changes = {"email": "ada@example.org", "currentPassword": PASSWORD}
    done = await do(api, "updateMe", token=plain.token, input=changes)
    assert faults(done) == SUCCESS
    assert done["customer"]["email"] == "ada@example.org"
    assert await token_reason(api, plain.token) is None
    assert faults(await do(api, "login", email="ada@example.org", password=PASSWORD)) == SUCCESS
    old = await do(api, "login", email=plain.email, password=PASSWORD)
    assert faults(old) == INVALID_CREDENTIALS
    letter = await letterbox.next()
    assert (letter.recipient, letter.subject) == (plain.email, "Your e-mail address was changed")


@pytest.mark.parametrize(
    ("email", "evil"),
    [
        ("ceo@business.com", "ceo@busineß.com"),
        ("office@passau.de", "office@xn--paau-4pa.de"),
        ("info@xn--hxajbheg2az3al.gr", "info@παραδειγμασ.gr"),
        ("odysseus@example.com", "ODYSSEUS@example.com"),
        ("οδυσσεας@example.gr", "οδυσσεασ@example.gr"),
        ("fiona@example.com", "ﬁona@example.com"),
        ("max@example.com", "Max@example.com"),
    ],
)
async def test_no_other_spelling_of_the_address_is_changed_without_the_password(
    api: Api, letterbox: Letterbox, email: str, evil: str
) -> None:
    victim = await sign_in(api.resources, await add_customer(api.database, "Vic", email))
    refused = await do(api, "updateMe", token=victim.token, input={"email": evil})
    assert faults(refused) == [("REQUIRED", "currentPassword")]
    assert faults(await do(api, "requestPasswordReset", email=email)) == SUCCESS
    assert (await letterbox.next()).recipient == victim.email


async def test_refused_change_of_oneself_changes_nothing(
    api: Api, plain: Person, other: Person
) -> None:
    assert other.email == "bob@example.com"
    for changes, told in REFUSED_CHANGES:
        refused = await do(api, "updateMe", token=plain.token, input={"phone": "+2", **changes})
        assert faults(refused) == told
        assert refused["customer"] is None
    me = (await api.run("{ me { name email phone } }", token=plain.token)).data["me"]
    assert me == {"name": plain.name, "email": plain.email, "phone": "+1 555 0100"}


async def test_new_password_ends_every_session_and_opens_one(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    login = await do(api, "login", email=plain.email, password=PASSWORD)
    changed = await do(
        api,
        "changePassword",
        token=login["token"],
        currentPassword=PASSWORD,
        newPassword=NEW_PASSWORD,
    )
    assert faults(changed) == SUCCESS
    assert changed["customer"]["id"] == str(plain.id)
    tokens = (plain.token, login["token"], changed["token"])
    reasons = [await token_reason(api, token) for token in tokens]
    assert reasons == ["TOKEN_REVOKED", "TOKEN_REVOKED", None]
    refreshes = [
        faults(await do(api, "refresh", refreshToken=token))
        for token in (plain.refresh_token, login["refreshToken"], changed["refreshToken"])
    ]
    revoked = [("TOKEN_REVOKED", "refreshToken")]
    assert refreshes == [revoked, revoked, SUCCESS]
    letter = await letterbox.next()
    assert (letter.recipient, letter.subject) == (plain.email, "Your password was changed")


async def test_new_password_takes_the_place_of_the_old_one(api: Api, plain: Person) -> None:
    given: dict[str, Any] = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    assert faults(await do(api, "changePassword", token=plain.token, **given)) == SUCCESS
    old = await do(api, "login", email=plain.email, password=PASSWORD)
    assert faults(old) == INVALID_CREDENTIALS
    new = await do(api, "login", email=plain.email, password=NEW_PASSWORD)
    assert faults(new) == SUCCESS


async def test_refused_change_of_password_ends_no_session(api: Api, plain: Person) -> None:
    for current, new, told in REFUSED_PASSWORDS:
        given: dict[str, Any] = {"currentPassword": current, "newPassword": new}
        refused = await do(api, "changePassword", token=plain.token, **given)
        assert faults(refused) == told
        assert (refused["token"], refused["refreshToken"]) == (None, None)
    assert await token_reason(api, plain.token) is None
    assert faults(await do(api, "login", email=plain.email, password=PASSWORD)) == SUCCESS


async def test_customers_remove_themselves_with_their_password(api: Api, plain: Person) -> None:
    wrong = await do(api, "deleteMe", token=plain.token, password="wrong")
    assert faults(wrong) == [("WRONG_PASSWORD", "password")]
    assert await token_reason(api, plain.token) is None
    assert faults(await do(api, "deleteMe", token=plain.token, password=PASSWORD)) == SUCCESS
    assert await token_reason(api, plain.token) == "TOKEN_REVOKED"
    gone = await do(api, "login", email=plain.email, password=PASSWORD)
    assert faults(gone) == INVALID_CREDENTIALS


async def test_last_admin_stays_and_the_last_but_one_may_go(api: Api, admin: Person) -> None:
    second = await sign_in(
        api.resources, await add_customer(api.database, "Second Admin", is_admin=True)
    )
    assert faults(await do(api, "deleteMe", token=second.token, password=PASSWORD)) == SUCCESS
    last = await do(api, "deleteMe", token=admin.token, password=PASSWORD)
    assert faults(last) == [("LAST_ADMIN", None)]
    assert await token_reason(api, admin.token) is None
