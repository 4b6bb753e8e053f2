"""What the audit has of second factors: what was done, and guesses at codes."""

from typing import Any

import pytest

from tests.api import Api
from tests.apps import challenge, set_up_first
from tests.people import PASSWORD, Person
from tests.schema.mutations import SUCCESS, faults, send
from tests.schema.test_guesses import FROM, event, guesses


async def do_as(api: Api, token: str | None, mutation: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 — what a mutation is sent
    """Do something with a program that is known by its name."""
    answer = await send(api, mutation, given, token=token, headers=FROM)
    payload: dict[str, Any] = answer.data[mutation]
    return payload


async def told(api: Api, admin: Person) -> list[tuple[str, bool, tuple[str, ...]]]:
    """Return what was recorded, whether its actor is whose it is, and the fields."""
    return [
        (each["action"], each["actor"] == each["customer"], tuple(each["fields"]))
        for each in await guesses(api, admin)
    ][::-1]


async def test_what_becomes_of_factors_is_recorded(api: Api, plain: Person, admin: Person) -> None:
    app, codes = await set_up_first(api, plain)
    asked = "{ me { secondFactors { id } } }"
    [factor] = (await api.run(asked, token=plain.token)).data["me"]["secondFactors"]
    steps: list[tuple[str | None, str, dict[str, Any]]] = [
        (plain.token, "renameSecondFactor", {"id": factor["id"], "name": "Mine"}),
        (plain.token, "renewRecoveryCodes", {}),
        (plain.token, "reauthenticate", {"code": app.code(1)}),
        (admin.token, "removeSecondFactor", {"id": factor["id"]}),
    ]
    for token, name, given in steps:
        assert faults(await do_as(api, token, name, **given)) == SUCCESS
    assert len(codes) == 10
    assert await told(api, admin) == [
        ("factor:rename", True, ("name",)),
        ("factor:renew_recovery_codes", True, ()),
        ("session:reauthenticate", True, ()),
        ("factor:remove", False, ("CODE",)),
    ]


async def test_sign_in_by_a_recovery_code_is_recorded(
    api: Api, plain: Person, admin: Person
) -> None:
    _, codes = await set_up_first(api, plain)
    waits = await do_as(api, None, "login", email=plain.email, password=PASSWORD)
    token = waits["secondFactor"]["challenge"]
    done = await do_as(api, None, "verifySecondFactor", challenge=token, code=codes[0])
    assert faults(done) == SUCCESS
    assert await told(api, admin) == [
        ("session:second_factor", False, ()),
        ("factor:recovery_code", True, ()),
        ("session:login", True, ()),
    ]


async def test_new_factor_is_recorded(api: Api, plain: Person, admin: Person) -> None:
    await set_up_first(api, plain)
    asked = f'{{ auditEvents(customerId: "{plain.id}") {{ nodes {{ action fields }} }} }}'
    nodes = (await api.run(asked, token=admin.token)).data["auditEvents"]["nodes"]
    assert nodes[0] == {"action": "factor:add", "fields": ["CODE"]}


@pytest.mark.parametrize("factor", ["code", "passkey"])
async def test_guess_at_a_factor_is_an_event_of_the_account_by_nobody(
    api: Api, plain: Person, admin: Person, factor: str
) -> None:
    app, _ = await set_up_first(api, plain)
    token = await challenge(api, plain.email, PASSWORD)
    wrong = {factor: app.wrong() if factor == "code" else {"id": "x"}}
    await do_as(api, None, "verifySecondFactor", challenge=token, **wrong)
    by_nobody = {**event("session:second_factor_failed", plain), "actor": None}
    assert await guesses(api, admin) == [by_nobody]


async def test_guess_at_a_passkey_of_who_is_signed_in_is_their_own(
    api: Api, plain: Person, admin: Person
) -> None:
    await set_up_first(api, plain)
    await do_as(api, plain.token, "reauthenticate", passkey={"id": "x"})
    assert await guesses(api, admin) == [event("session:second_factor_failed", plain)]


@pytest.mark.parametrize("name", ["reauthenticate", "confirmCodes"])
async def test_guess_of_who_is_signed_in_is_their_own(
    api: Api, plain: Person, admin: Person, name: str
) -> None:
    app, _ = await set_up_first(api, plain)
    if name == "confirmCodes":
        await send(api, "beginCodes", {}, token=plain.token)
    for _ in range(7):
        await do_as(api, plain.token, name, code=app.wrong())
    await api.resources.guesses.record(api.database, last=True)
    found = await guesses(api, admin)
    numbers: dict[str, int] = {}
    for each in found:
        assert (each["actor"], each["customer"]) == ({"id": str(plain.id)}, {"id": str(plain.id)})
        number = int(each["fields"][0].split()[0]) if each["fields"] else 1
        numbers[each["action"]] = numbers.get(each["action"], 0) + number
    assert numbers == {"session:second_factor_failed": 5, "session:second_factor_throttled": 2}
