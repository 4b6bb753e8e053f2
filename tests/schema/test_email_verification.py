"""Proof of addresses: by any link that was sent there, once; and what a stranger's no does."""

from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import select

from gql_app.accounts.audit import Action
from gql_app.db.tables import AuditRow, KnownClientRow
from gql_app.errors import Rejected
from gql_app.extending.feature import Feature
from gql_app.extending.hooks import CommittedEvent
from gql_app.lib import clock
from gql_app.mail import email_verification
from gql_app.mail.email_verification import Described
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SetClock
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, current
from tests.schema import addresses
from tests.schema.addresses import (
    NEW_PASSWORD,
    OLD,
    RESET,
    SPENT,
    VERIFY,
    WRONG,
    ask,
    link_for,
    me,
    move,
    prove,
    register,
    until_all_letters_left,
    use,
)
from tests.schema.mutations import SUCCESS, do, faults, reset, token_reason
from tests.schema.test_audit import EVENTS
from tests.throttles import fill

pytestmark = pytest.mark.usefixtures("letterbox")

EVE: Final = "eve@example.com"
OFF = pytest.mark.parametrize("verification", ["off"], indirect=True)


@pytest.fixture
def verification(request: pytest.FixtureRequest) -> str:
    """Ask for proof, but in tests that say otherwise."""
    return str(getattr(request, "param", "ask"))


async def test_registration_signs_in_and_asks_for_proof(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    registered = await register(api, EVE)
    assert faults(registered) == SUCCESS
    unproven = {"email": EVE, "pendingEmail": None, "emailVerifiedAt": None}
    assert await me(api, registered["token"]) == unproven
    link = await letterbox.link_to(EVE, VERIFY)
    assert [await use(api, "verifyEmail", link) for _ in range(2)] == [SUCCESS, SPENT]
    assert (await me(api, registered["token"]))["emailVerifiedAt"]
    answer = await api.run(EVENTS, token=admin.token, action=Action.EMAIL_VERIFIED)
    [event] = answer.data["auditEvents"]["nodes"]
    assert (event["actor"], event["customer"]) == ({"name": "Eve New"}, {"name": "Eve New"})
    assert (event["ipAddress"], event["fields"]) == ("192.0.2.1", [])


@OFF
async def test_where_nothing_is_asked_no_letter_goes_out(api: Api, letterbox: Letterbox) -> None:
    registered = await register(api, EVE)
    assert faults(registered) == SUCCESS
    await until_all_letters_left(api)
    assert letterbox.empty
    assert (await me(api, registered["token"]))["emailVerifiedAt"] is None


async def test_address_that_is_taken_is_told_as_ever(api: Api, plain: Person) -> None:
    assert faults(await register(api, plain.email)) == addresses.TAKEN


async def test_link_is_good_for_a_day_until_a_newer_one(
    api: Api, plain: Person, letterbox: Letterbox, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    older, newer = [await link_for(api, letterbox, plain) for _ in range(2)]
    assert older != newer
    assert await use(api, "verifyEmail", older) == SPENT
    set_clock(start + timedelta(days=1))
    for mutation in ("verifyEmail", "declineEmail"):
        assert await use(api, mutation, newer) == OLD
    set_clock(start + timedelta(days=1, microseconds=-1))
    assert await use(api, "verifyEmail", newer) == SUCCESS


@pytest.mark.parametrize(
    "change",
    [{"email": "a@example.org"}, {"isActive": False}, {"isAdmin": True}, {"roles": ["support"]}],
)
async def test_link_dies_with_what_an_admin_changes(
    api: Api, plain: Person, admin: Person, letterbox: Letterbox, change: dict[str, Any]
) -> None:
    link = await link_for(api, letterbox, plain)
    given: dict[str, Any] = {"id": str(plain.id), "input": change}
    assert faults(await do(api, "updateCustomer", token=admin.token, **given)) == SUCCESS
    for mutation in ("verifyEmail", "declineEmail"):
        assert await use(api, mutation, link) == SPENT


async def test_link_outlives_what_has_to_do_with_no_address(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    link = await link_for(api, letterbox, plain)
    given: dict[str, Any] = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    assert faults(await do(api, "changePassword", token=plain.token, **given)) == SUCCESS
    assert await use(api, "verifyEmail", link) == SUCCESS


async def test_link_of_another_kind_proves_nothing(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    await do(api, "requestPasswordReset", email=plain.email)
    resetting = await letterbox.link_to(plain.email, RESET)
    verifying = await link_for(api, letterbox, plain)
    for mutation in ("verifyEmail", "declineEmail", "undoEmailChange"):
        assert await use(api, mutation, resetting) == SPENT
    assert await use(api, "undoEmailChange", verifying) == SPENT
    assert await reset(api, verifying, NEW_PASSWORD) == SPENT
    assert (await me(api, plain.token))["emailVerifiedAt"] is None


async def test_reset_link_proves_and_leaves_no_way_to_decline(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    verifying = await link_for(api, letterbox, plain)
    await do(api, "requestPasswordReset", email=plain.email)
    resetting = await letterbox.link_to(plain.email, RESET)
    assert await reset(api, resetting, NEW_PASSWORD) == SUCCESS
    proven = (await current(api.database, plain.id)).email_verified_at
    assert proven
    assert await use(api, "declineEmail", verifying) == SPENT
    assert await use(api, "verifyEmail", verifying) == SUCCESS
    assert (await current(api.database, plain.id)).email_verified_at == proven


async def test_letter_is_asked_for_as_long_as_there_is_something_to_prove(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    await move(api, letterbox, plain, "ada@example.org")
    await until_all_letters_left(api)
    letterbox.unread()
    asked = await do(api, "requestEmailVerification", token=plain.token)
    assert faults(asked) == SUCCESS
    assert "already" in asked["message"]
    await until_all_letters_left(api)
    assert letterbox.unread() == []
    of_asking = select(AuditRow.id).where(AuditRow.action == Action.VERIFICATION_REQUESTED)
    assert await api.database.fetch_all(of_asking) == []
    await ask(api, plain, "ada@example.net")
    older = await letterbox.link_to("ada@example.net", VERIFY)
    assert faults(await do(api, "requestEmailVerification", token=plain.token)) == SUCCESS
    newer = await letterbox.link_to("ada@example.net", VERIFY)
    assert [await use(api, "verifyEmail", link) for link in (older, newer)] == [SPENT, SUCCESS]


async def test_mailbox_gets_five_letters_a_day_and_an_account_asks_300_times_an_hour(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    for _ in range(5):
        await link_for(api, letterbox, plain)
    await do(api, "requestEmailVerification", token=plain.token)
    await until_all_letters_left(api)
    assert letterbox.empty
    await fill(api.database, api.resources.throttle.of_account("link", plain.id))
    for address in ("192.0.2.1", "198.51.100.66"):
        async with api.elsewhere(address) as there:
            refused = await do(there, "requestEmailVerification", token=plain.token)
            assert faults(refused) == [("TOO_MANY_ATTEMPTS", None)]


async def test_owner_of_an_address_takes_a_squatters_account_over_by_the_reset_link(
    api: Api, letterbox: Letterbox
) -> None:
    squatter = await register(api, EVE)
    given = {"email": "squatter@example.org", "currentPassword": NEW_PASSWORD}
    assert faults(await do(api, "updateMe", token=squatter["token"], input=given)) == SUCCESS
    pending = await letterbox.link_to("squatter@example.org", VERIFY)
    await do(api, "requestPasswordReset", email=EVE)
    assert await reset(api, await letterbox.link_to(EVE, RESET), "the owner's very own") == SUCCESS
    assert await token_reason(api, squatter["token"]) == "TOKEN_REVOKED"
    assert await use(api, "verifyEmail", pending) == SPENT
    assert await addresses.sign_in(api, EVE, NEW_PASSWORD) == WRONG
    owner = await do(api, "login", email=EVE, password="the owner's very own")
    assert (await me(api, owner["token"]))["pendingEmail"] is None
    assert (await me(api, owner["token"]))["emailVerifiedAt"]


async def test_squatters_account_that_is_declined_opens_to_nobody_and_keeps_its_data(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    squatter = await register(api, EVE)
    eve = squatter["customer"]["id"]
    link = await letterbox.link_to(EVE, VERIFY)
    await do(api, "requestPasswordReset", email=EVE)
    resetting = await letterbox.link_to(EVE, RESET)
    assert [await use(api, "declineEmail", link) for _ in range(2)] == [SUCCESS, SPENT]
    assert await token_reason(api, squatter["token"]) == "TOKEN_REVOKED"
    refreshed = await do(api, "refresh", refreshToken=squatter["refreshToken"])
    assert faults(refreshed) == [("TOKEN_REVOKED", "refreshToken")]
    nobodys = f"{eve}@declined.invalid"
    for email in (EVE, nobodys):
        assert await addresses.sign_in(api, email, NEW_PASSWORD) == WRONG
    assert await reset(api, resetting, "the squatter's next") == SPENT
    rows = await api.database.fetch_all(KnownClientRow.__table__.select())
    assert [row for row in rows if str(row.customer_id) == eve] == []
    letterbox.unread()
    await do(api, "requestPasswordReset", email=nobodys)
    await until_all_letters_left(api)
    assert letterbox.empty
    asked = "query ($id: ID!) { customer(id: $id) { name email isActive emailVerifiedAt } }"
    kept = (await api.run(asked, token=admin.token, id=eve)).data["customer"]
    name = {"name": "Eve New", "isActive": True, "emailVerifiedAt": None}
    assert kept == {**name, "email": nobodys}
    events = {
        each["action"]: each["fields"]
        for each in (await api.run(EVENTS, token=admin.token, customerId=eve)).data["auditEvents"][
            "nodes"
        ]
    }
    assert (events["email:decline"], events["customer:update"]) == ([], ["email"])
    owner = await register(api, EVE)
    assert faults(owner) == SUCCESS
    assert owner["customer"]["id"] != eve
    assert await use(api, "verifyEmail", await letterbox.link_to(EVE, VERIFY)) == SUCCESS


async def test_declined_account_is_given_an_address_again_by_an_admin(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    eve = (await register(api, EVE))["customer"]["id"]
    assert await use(api, "declineEmail", await letterbox.link_to(EVE, VERIFY)) == SUCCESS
    given: dict[str, Any] = {"id": eve, "input": {"email": "right@example.com"}}
    assert faults(await do(api, "updateCustomer", token=admin.token, **given)) == SUCCESS
    link = await letterbox.link_to("right@example.com", VERIFY)
    assert await use(api, "verifyEmail", link) == SUCCESS
    assert letterbox.unread() == []
    await do(api, "requestPasswordReset", email="right@example.com")
    resetting = await letterbox.link_to("right@example.com", RESET)
    assert await reset(api, resetting, "the owner's very own") == SUCCESS


async def test_unproven_admin_who_is_declined_stays_one_whom_nobody_signs_in_as(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    link = await link_for(api, letterbox, admin)
    assert await use(api, "declineEmail", link) == SUCCESS
    assert (await current(api.database, admin.id)).is_admin
    assert await token_reason(api, admin.token) == "TOKEN_REVOKED"
    assert await addresses.sign_in(api, admin.email) == WRONG


async def test_what_a_link_is_about_is_told_before_it_is_used(
    api: Api, plain: Person, letterbox: Letterbox, set_clock: SetClock
) -> None:
    start = clock.now()
    made_at = (await current(api.database, plain.id)).created_at

    async def told(link: str) -> Described | None:
        return await email_verification.described(api.database, link)

    first = await link_for(api, letterbox, plain)
    assert await told(first) == Described("account", made_at)
    await ask(api, plain, "ada@example.org")
    second = await letterbox.link_to("ada@example.org", VERIFY)
    assert (await told(first), await told("x")) == (None, None)
    assert await told(second) == Described("change", made_at)
    set_clock(start + timedelta(days=2))
    with pytest.raises(Rejected):
        await told(second)


async def test_features_hear_of_proof_and_of_a_no(settings: Settings, letterbox: Letterbox) -> None:
    heard: list[tuple[str, bool]] = []

    async def hear(event: CommittedEvent) -> None:
        heard.append((event.name, event.actor_id == event.customer_id))

    names = ("email:verified", "email:declined", "customer:updated")
    feature = Feature("ears", on=dict.fromkeys(names, hear))
    async with running(settings, features=[feature]) as api:
        await register(api, EVE)
        await use(api, "verifyEmail", await letterbox.link_to(EVE, VERIFY))
        await register(api, "b@example.com")
        await use(api, "declineEmail", await letterbox.link_to("b@example.com", VERIFY))
    assert heard == [
        ("email:verified", True),
        ("customer:updated", False),
        ("email:declined", False),
    ]


async def test_operator_proves_an_address_by_hand(api: Api, plain: Person, admin: Person) -> None:
    await prove(api.database, plain)
    assert (await me(api, plain.token))["emailVerifiedAt"]
    [event] = (await api.run(EVENTS, token=admin.token, action=Action.EMAIL_VERIFIED)).data[
        "auditEvents"
    ]["nodes"]
    assert (event["actor"], event["customer"]) == (None, {"name": plain.name})
    async with api.database.transaction() as db:
        assert not await email_verification.prove_by_hand(db, "nobody@example.com")
