"""Whoever has no password: they sign in by other means, which proves just then that it is them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import update

from gql_app.db.tables import CustomerRow
from gql_app.lib import clock
from gql_app.security.passwords import NO_PASSWORD, Passwords
from tests.api import Api
from tests.conftest import SetClock
from tests.databases import contents
from tests.letterbox import Letterbox
from tests.people import Person, add_customer, current, sign_in
from tests.schema.mutations import SUCCESS, do, faults, refresh, reset, send, token_reason
from tests.schema.test_authority import Meanwhile
from tests.schema.test_password_reset import link

pytestmark = pytest.mark.usefixtures("letterbox")

NEW_PASSWORD: Final = "another good one"
PROVEN: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "deleteMe": ({}, "password"),
    "changePassword": ({"newPassword": NEW_PASSWORD}, "currentPassword"),
    "updateMe": ({"input": {"email": "new@example.com"}}, "currentPassword"),
}
"""What takes the password, what it is sent without one, and the field that is missing then."""


@pytest.fixture
async def eve(api: Api) -> Person:
    """Sign in somebody who has no password."""
    row = await add_customer(api.database, "Eve")
    async with api.database.transaction() as db:
        itself = update(CustomerRow).where(CustomerRow.id == row.id)
        await db.execute(itself.values(password_hash=NO_PASSWORD))
    return await sign_in(api.resources, row)


@pytest.mark.parametrize("name", PROVEN)
@pytest.mark.parametrize("also", [None, "whatever"])
async def test_fresh_sign_in_is_the_proof(
    api: Api, eve: Person, name: str, also: str | None
) -> None:
    given, field = PROVEN[name]
    if name == "updateMe":
        given = {"input": {**given["input"], field: also}}
    else:
        given = {**given, field: also}
    payload = await do(api, name, token=eve.token, **given)
    assert faults(payload) == SUCCESS
    if name == "changePassword":
        assert await token_reason(api, eve.token) == "TOKEN_REVOKED"
        login = await do(api, "login", email=eve.email, password=NEW_PASSWORD)
        assert faults(login) == SUCCESS


@pytest.mark.parametrize("name", PROVEN)
async def test_sign_in_of_more_than_ten_minutes_ago_is_none(
    api: Api, eve: Person, set_clock: SetClock, name: str
) -> None:
    given, _ = PROVEN[name]
    start = clock.now()
    set_clock(start + timedelta(minutes=10, seconds=2))
    await refresh(api, eve.refresh_token)
    before = await contents(api.database)
    [refused] = (await send(api, name, given, token=eve.token)).errors
    assert refused["message"].startswith("Sign in again to do this: ")
    assert refused["extensions"] == {
        "code": "FORBIDDEN",
        "reason": "REAUTHENTICATION_REQUIRED",
        "methods": ["SIGN_IN"],
    }
    assert await contents(api.database) == before
    assert faults(await do(api, "updateMe", token=eve.token, input={"name": "E."})) == SUCCESS
    set_clock(start + timedelta(minutes=9))
    assert faults(await do(api, name, token=eve.token, **given)) == SUCCESS


@pytest.mark.parametrize("name", PROVEN)
async def test_whoever_has_a_password_gives_it(api: Api, plain: Person, name: str) -> None:
    given, field = PROVEN[name]
    before = await contents(api.database)
    payload = await do(api, name, token=plain.token, **given)
    assert faults(payload) == [("REQUIRED", field)]
    assert "current password" in payload["message"]
    assert await contents(api.database) == before


@pytest.mark.parametrize("name", PROVEN)
async def test_absence_of_a_password_that_was_set_meanwhile_is_no_proof(
    api: Api, eve: Person, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    given, field = PROVEN[name]
    setting = update(CustomerRow).where(CustomerRow.id == eve.id).values(password_hash="another")
    meanwhile = Meanwhile(api, 0, setting)
    meanwhile.spy(monkeypatch)
    payload = await do(api, name, token=eve.token, **given)
    assert faults(payload) == [("WRONG_PASSWORD", field)]
    assert await contents(api.database) == meanwhile.found


async def test_login_is_as_with_a_wrong_password_and_hashes_as_much(
    api: Api, plain: Person, eve: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed, verify = [], Passwords.verify

    async def counting(self: Passwords, *args: Any) -> bool:  # noqa: ANN401 — as it is called
        hashed.append(args[0])
        return await verify(self, *args)

    monkeypatch.setattr(Passwords, "verify", counting)
    told = [
        await do(api, "login", email=who.email, password=password)
        for who in (plain, eve)
        for password in ("wrong", "\0")
    ]
    assert faults(told[0]) == [("INVALID_CREDENTIALS", None)]
    assert told == [told[0]] * 4
    assert hashed == ["wrong", "\0", "wrong", "\0"]


async def test_first_password_is_set_by_a_reset_as_well(
    api: Api, eve: Person, letterbox: Letterbox
) -> None:
    token = await link(api, letterbox, eve)
    assert await reset(api, token, "eve@example.com") == [("WEAK_PASSWORD", "newPassword")]
    assert await reset(api, token, NEW_PASSWORD) == SUCCESS
    assert faults(await do(api, "login", email=eve.email, password=NEW_PASSWORD)) == SUCCESS
    assert await token_reason(api, eve.token) == "TOKEN_REVOKED"
    assert (await current(api.database, eve.id)).email_verified_at
