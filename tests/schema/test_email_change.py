"""Changes of address: in force by the new one's link, undone by the old one's, for a week."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import delete

from gql_app import background
from gql_app.accounts.permissions import Role
from gql_app.db.tables import CustomerRow
from gql_app.extending.feature import Feature
from gql_app.extending.hooks import CommittedEvent
from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SetClock
from tests.letterbox import Letterbox, link_in
from tests.people import PASSWORD, Person, add_customer, current
from tests.people import sign_in as signed_in
from tests.schema.addresses import (
    CHANGED,
    IN_USE,
    NEW_PASSWORD,
    OLD,
    REQUESTED,
    RESET,
    SPENT,
    TAKEN,
    VERIFY,
    WRONG,
    ask,
    held,
    link_for,
    me,
    move,
    prove,
    register,
    sign_in,
    until_all_letters_left,
    use,
)
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, reset, token_reason
from tests.schema.test_audit import EVENTS

pytestmark = pytest.mark.usefixtures("letterbox")

A: Final = "ada@example.com"
B, C = "ada@example.org", "ada@example.net"
WEEK: Final = timedelta(days=7)


def in_mode(*modes: str) -> pytest.MarkDecorator:
    """Have a test run with these settings instead."""
    return pytest.mark.parametrize("verification", modes, indirect=True)


@pytest.fixture
def verification(request: pytest.FixtureRequest) -> str:
    """Ask for proof, but in tests that say otherwise."""
    return str(getattr(request, "param", "ask"))


@pytest.fixture
async def ada(api: Api, plain: Person) -> Person:
    """Have a customer whose address is proven."""
    await prove(api.database, plain)
    return plain


async def by_admin(api: Api, admin: Person, whom: Person, **changes: object) -> list[CodeAndField]:
    """Have an admin change a customer."""
    given: dict[str, Any] = {"id": str(whom.id), "input": changes}
    return faults(await do(api, "updateCustomer", token=admin.token, **given))


async def actions(api: Api, admin: Person, whom: Person) -> list[tuple[str, Sequence[str], Any]]:
    """Return what the audit knows of somebody's addresses, the oldest first: what, and by whom."""
    answer = await api.run(EVENTS, token=admin.token, customerId=str(whom.id), first=50)
    nodes = reversed(answer.data["auditEvents"]["nodes"])
    kinds = ("email:", "customer:update")
    return [
        (each["action"], each["fields"], each["actor"] and each["actor"]["name"])
        for each in nodes
        if each["action"].startswith(kinds)
    ]


@in_mode("ask", "require")
async def test_new_address_is_in_force_once_its_link_is_used(
    api: Api, ada: Person, admin: Person, letterbox: Letterbox
) -> None:
    asked = await ask(api, ada, B)
    assert faults(asked) == SUCCESS
    assert asked["customer"]["email"] == A
    assert A in asked["message"]
    assert B in asked["message"]
    pending = await me(api, ada.token)
    assert (pending["email"], pending["pendingEmail"]) == (A, B)
    assert pending["emailVerifiedAt"]
    assert link_in(await letterbox.to(A, REQUESTED)) is None
    assert (await sign_in(api, A), await sign_in(api, B)) == (SUCCESS, WRONG)
    link = await letterbox.link_to(B, VERIFY)
    assert [await use(api, "verifyEmail", link) for _ in range(2)] == [SUCCESS, SPENT]
    done = await me(api, ada.token)
    assert (done["email"], done["pendingEmail"]) == (B, None)
    assert done["emailVerifiedAt"] > pending["emailVerifiedAt"]
    assert (await sign_in(api, A), await sign_in(api, B)) == (WRONG, SUCCESS)
    assert link_in(await letterbox.to(A, CHANGED))
    assert await held(api.database) == [A]
    assert await actions(api, admin, ada) == [
        ("email:verify", [], None),
        ("email:change_request", [], ada.name),
        ("customer:update", ["email"], ada.name),
        ("email:change", [], ada.name),
    ]


@in_mode("off")
async def test_where_nothing_is_asked_a_new_address_is_in_force_at_once_and_unproven(
    api: Api, ada: Person, letterbox: Letterbox
) -> None:
    assert faults(await ask(api, ada, B)) == SUCCESS
    assert await me(api, ada.token) == {"email": B, "pendingEmail": None, "emailVerifiedAt": None}
    undoing = await letterbox.link_to(A, CHANGED)
    assert faults(await ask(api, ada, C)) == SUCCESS
    assert link_in(await letterbox.to(B, CHANGED)) is None
    assert await held(api.database) == [A]
    assert await use(api, "undoEmailChange", undoing) == SUCCESS
    assert (await current(api.database, ada.id)).email_verified_at
    await until_all_letters_left(api)
    assert letterbox.unread() == [(C, CHANGED)]


@in_mode("off")
async def test_way_back_that_nothing_proves_settles_nothing(
    api: Api, ada: Person, other: Person, letterbox: Letterbox
) -> None:
    for email in (B, A, B):
        assert faults(await ask(api, ada, email)) == SUCCESS
    first, second = [await letterbox.link_to(A, CHANGED) for _ in range(2)]
    assert faults(await ask(api, other, A)) == TAKEN
    assert [await use(api, "undoEmailChange", link) for link in (first, second)] == [SPENT, SUCCESS]
    assert (await current(api.database, ada.id)).email == A


@in_mode("off")
async def test_address_that_was_proven_is_held_after_a_way_back_that_is_not(
    api: Api, ada: Person, letterbox: Letterbox
) -> None:
    assert faults(await ask(api, ada, B)) == SUCCESS
    await letterbox.to(A, CHANGED)
    await prove(api.database, replace(ada, email=B))
    assert faults(await ask(api, ada, A)) == SUCCESS
    assert await use(api, "undoEmailChange", await letterbox.link_to(B, CHANGED)) == SUCCESS
    assert (await current(api.database, ada.id)).email == B


async def test_unproven_address_is_only_told_and_free_at_once(
    api: Api, plain: Person, letterbox: Letterbox
) -> None:
    await move(api, letterbox, plain, B)
    assert link_in(await letterbox.to(A, CHANGED)) is None
    assert await held(api.database) == []
    assert faults(await register(api, A)) == SUCCESS


async def test_link_to_a_new_address_is_good_for_a_day_until_it_is_asked_for_another(
    api: Api, ada: Person, letterbox: Letterbox, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    await ask(api, ada, B)
    first = await letterbox.link_to(B, VERIFY)
    await ask(api, ada, B)
    again = await letterbox.link_to(B, VERIFY)
    assert await use(api, "verifyEmail", first) == SPENT
    await ask(api, ada, C)
    last = await letterbox.link_to(C, VERIFY)
    assert await use(api, "verifyEmail", again) == SPENT
    set_clock(start + timedelta(days=1))
    assert await use(api, "verifyEmail", last) == OLD
    assert (await current(api.database, ada.id)).email == A


@pytest.mark.parametrize("by", ["themself", "an admin"])
async def test_asking_voids_every_other_link_at_once(
    api: Api, plain: Person, admin: Person, letterbox: Letterbox, by: str
) -> None:
    verifying = await link_for(api, letterbox, plain)
    await do(api, "requestPasswordReset", email=A)
    resetting = await letterbox.link_to(A, RESET)
    if by == "themself":
        assert faults(await ask(api, plain, B)) == SUCCESS
    else:
        assert await by_admin(api, admin, plain, email=B) == SUCCESS
    assert await use(api, "verifyEmail", verifying) == SPENT
    assert await reset(api, resetting, NEW_PASSWORD) == SPENT
    assert await use(api, "verifyEmail", await letterbox.link_to(B, VERIFY)) == SUCCESS


async def test_new_password_drops_what_is_pending(
    api: Api, ada: Person, letterbox: Letterbox
) -> None:
    await ask(api, ada, B)
    link = await letterbox.link_to(B, VERIFY)
    await do(api, "requestPasswordReset", email=A)
    assert await reset(api, await letterbox.link_to(A, RESET), NEW_PASSWORD) == SUCCESS
    assert await use(api, "verifyEmail", link) == SPENT
    assert (await current(api.database, ada.id)).pending_email is None


@pytest.mark.parametrize("change", [{"isActive": False}, {"roles": ["support"]}])
async def test_link_to_a_new_address_dies_with_what_an_admin_changes(
    api: Api, ada: Person, admin: Person, letterbox: Letterbox, change: dict[str, Any]
) -> None:
    await ask(api, ada, B)
    link = await letterbox.link_to(B, VERIFY)
    assert await by_admin(api, admin, ada, **change) == SUCCESS
    assert await use(api, "verifyEmail", link) == SPENT
    assert (await current(api.database, ada.id)).email == A


async def test_another_spelling_is_at_once_and_stays_proven(
    api: Api, ada: Person, admin: Person, letterbox: Letterbox
) -> None:
    await ask(api, ada, B)
    link = await letterbox.link_to(B, VERIFY)
    await letterbox.to(A, REQUESTED)
    assert await by_admin(api, admin, ada, email="Ada@example.com", name="Ada L.") == SUCCESS
    now = await me(api, ada.token)
    assert (now["email"], now["pendingEmail"]) == ("Ada@example.com", None)
    assert now["emailVerifiedAt"]
    assert await use(api, "verifyEmail", link) == SPENT
    await until_all_letters_left(api)
    assert (letterbox.unread(), await held(api.database)) == ([], [])


async def test_asking_for_the_address_in_force_drops_what_is_pending(
    api: Api, ada: Person, admin: Person, letterbox: Letterbox
) -> None:
    await ask(api, ada, B)
    link = await letterbox.link_to(B, VERIFY)
    dropped = await do(api, "updateMe", token=ada.token, input={"email": A, "phone": "+2"})
    assert faults(dropped) == SUCCESS
    assert (await me(api, ada.token))["pendingEmail"] is None
    assert await use(api, "verifyEmail", link) == SPENT
    assert (await actions(api, admin, ada))[-1] == (
        "customer:update",
        ["pendingEmail", "phone"],
        ada.name,
    )


async def test_admin_sets_address_and_password_together(
    api: Api, plain: Person, admin: Person, letterbox: Letterbox
) -> None:
    changes = {"email": B, "password": NEW_PASSWORD, "name": "Ada L."}
    assert await by_admin(api, admin, plain, **changes) == SUCCESS
    assert await sign_in(api, A, NEW_PASSWORD) == SUCCESS
    assert await use(api, "verifyEmail", await letterbox.link_to(B, VERIFY)) == SUCCESS
    assert await sign_in(api, B, NEW_PASSWORD) == SUCCESS


@in_mode("ask", "require")
async def test_whose_address_it_is_stays_as_it_was_for_who_may_not_change_it(
    settings: Settings, letterbox: Letterbox
) -> None:
    clerk = Role("clerk", {"customers:write"})
    async with running(settings, features=[Feature("desk", roles=[clerk])]) as api:
        cleo = await signed_in(
            api.resources, await add_customer(api.database, "Cleo", roles=["clerk"])
        )
        admin = await add_customer(api.database, "Grace", is_admin=True)
        plain = await add_customer(api.database, "Ada")
        document = """mutation ($id: ID!, $input: UpdateCustomerInput!) {
          updateCustomer(id: $id, input: $input) { status }
        }"""
        given: Mapping[str, Any] = {"id": str(admin.id), "input": {"email": B}}
        refused = await api.run(document, token=cleo.token, **given)
        assert refused.code("updateCustomer") == "FORBIDDEN"
        assert (await current(api.database, admin.id)).pending_email is None
        assert letterbox.empty
        given = {"id": str(plain.id), "input": {"email": plain.email}}
        confirmed = await api.run(document, token=cleo.token, **given)
        assert confirmed.data["updateCustomer"]["status"] == "ERROR"
        given = {"id": str(plain.id), "input": {"email": B}}
        allowed = await api.run(document, token=cleo.token, **given)
        assert allowed.data["updateCustomer"]["status"] == "SUCCESS"
        dropping: Mapping[str, Any] = {"id": str(cleo.id), "input": {"email": C}}
        own = await api.run(document, token=cleo.token, **dropping)
        assert own.data["updateCustomer"]["status"] == "ERROR"


async def test_address_that_is_taken_is_told_where_it_is_asked_for(
    api: Api, ada: Person, other: Person, admin: Person, letterbox: Letterbox
) -> None:
    assert faults(await ask(api, ada, other.email)) == TAKEN
    assert await by_admin(api, admin, ada, email=other.email) == TAKEN
    assert (await current(api.database, ada.id)).pending_email is None
    assert letterbox.empty


@in_mode("require")
async def test_where_proof_is_required_its_owner_alone_is_told(
    api: Api, ada: Person, other: Person, admin: Person, letterbox: Letterbox
) -> None:
    free = await ask(api, ada, "bob@example.org")
    await until_all_letters_left(api)
    letterbox.unread()
    taken = await ask(api, ada, other.email)
    assert faults(taken) == SUCCESS
    message = taken["message"].replace(other.email, "bob@example.org")
    assert (message, taken["customer"]) == (free["message"], free["customer"])
    assert link_in(await letterbox.to(other.email, IN_USE)) is None
    await letterbox.to(A, REQUESTED)
    await until_all_letters_left(api)
    assert letterbox.unread() == []
    assert await by_admin(api, admin, ada, email=other.email) == TAKEN


@in_mode("require")
async def test_address_that_differs_from_an_accounts_in_ss_alone_gets_no_link(
    api: Api, ada: Person, letterbox: Letterbox
) -> None:
    await add_customer(api.database, "Eve", "weiss@example.com")
    assert faults(await ask(api, ada, "weiß@example.com")) == SUCCESS
    letter = await letterbox.to("weiß@example.com", "This e-mail address can't be used")
    assert link_in(letter) is None
    await letterbox.to(A, REQUESTED)
    await until_all_letters_left(api)
    assert letterbox.unread() == []


async def test_address_that_another_got_meanwhile_spends_the_link_and_is_dropped(
    api: Api, ada: Person, letterbox: Letterbox
) -> None:
    await ask(api, ada, B)
    link = await letterbox.link_to(B, VERIFY)
    assert faults(await register(api, B)) == SUCCESS
    for mutation in ("verifyEmail", "verifyEmail", "declineEmail"):
        assert await use(api, mutation, link) == SPENT
    now = await current(api.database, ada.id)
    assert (now.email, now.pending_email) == (A, None)


async def test_of_two_who_ask_for_one_address_one_gets_it(
    api: Api, ada: Person, other: Person, letterbox: Letterbox
) -> None:
    links: list[str] = []
    for person in (ada, other):
        assert faults(await ask(api, person, B)) == SUCCESS
        links.append(await letterbox.link_to(B, VERIFY))
    told = await asyncio.gather(*(use(api, "verifyEmail", link) for link in links))
    assert sorted(told) == [SUCCESS, SPENT]
    rows = [await current(api.database, person.id) for person in (ada, other)]
    assert sorted(row.email for row in rows) == sorted(
        [B, other.email if rows[0].email == B else A]
    )
    assert {row.pending_email for row in rows} == {None}


async def test_of_a_change_and_a_registration_that_race_one_gets_the_address(
    api: Api, ada: Person, letterbox: Letterbox
) -> None:
    await ask(api, ada, B)
    link = await letterbox.link_to(B, VERIFY)
    changed, registered = await asyncio.gather(use(api, "verifyEmail", link), register(api, B))
    outcome = (changed, faults(registered))
    assert outcome in [(SUCCESS, TAKEN), (SPENT, SUCCESS)]
    now = await current(api.database, ada.id)
    assert (now.email, now.pending_email) == (B if changed == SUCCESS else A, None)


async def test_nobody_gets_the_address_that_is_left_meanwhile(
    api: Api, ada: Person, other: Person, letterbox: Letterbox
) -> None:
    await ask(api, ada, B)
    link = await letterbox.link_to(B, VERIFY)
    changed, registered, asked = await asyncio.gather(
        use(api, "verifyEmail", link), register(api, A), ask(api, other, A)
    )
    assert [changed, faults(registered), faults(asked)] == [SUCCESS, TAKEN, TAKEN]


async def test_address_of_before_is_held_for_a_week(
    api: Api,
    ada: Person,
    other: Person,
    admin: Person,
    letterbox: Letterbox,
    set_clock: SetClock,
) -> None:
    start = clock.now()
    set_clock(start)
    await move(api, letterbox, ada, B)
    new = {"name": "Eve", "email": "ADA@example.com", "password": NEW_PASSWORD}
    for seconds in (0, WEEK.total_seconds() - 1):
        set_clock(start + timedelta(seconds=seconds))
        assert faults(await register(api, A)) == TAKEN
        created = await do(api, "createCustomer", token=(await again(api, admin)).token, input=new)
        assert faults(created) == TAKEN
        assert faults(await ask(api, await again(api, other), A)) == TAKEN
    await background.purge(api.resources)
    assert await held(api.database) == [A]
    set_clock(start + WEEK)
    assert faults(await register(api, A)) == SUCCESS
    await background.purge(api.resources)
    assert await held(api.database) == []


async def again(api: Api, person: Person) -> Person:
    """Sign somebody in whose session may be over by now."""
    return await signed_in(api.resources, await current(api.database, person.id))


@in_mode("require")
async def test_asking_for_a_held_address_is_answered_as_if_an_account_had_it(
    api: Api, ada: Person, other: Person, letterbox: Letterbox
) -> None:
    await move(api, letterbox, ada, B)
    assert faults(await ask(api, other, A)) == SUCCESS
    assert link_in(await letterbox.to(A, IN_USE)) is None


async def test_who_had_a_held_address_goes_back_to_it_and_settles_the_change(
    api: Api, ada: Person, letterbox: Letterbox
) -> None:
    await move(api, letterbox, ada, B)
    undoing = await letterbox.link_to(A, CHANGED)
    await move(api, letterbox, ada, A)
    assert await held(api.database) == []
    assert link_in(await letterbox.to(B, CHANGED)) is None
    assert await use(api, "undoEmailChange", undoing) == SPENT
    assert faults(await register(api, B)) == SUCCESS


async def test_undoing_gives_the_address_back_and_ends_what_came_since(
    api: Api, ada: Person, admin: Person, letterbox: Letterbox
) -> None:
    await move(api, letterbox, ada, B)
    undoing = await letterbox.link_to(A, CHANGED)
    given: dict[str, Any] = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    thief = await do(api, "changePassword", token=ada.token, **given)
    given = {"email": C, "currentPassword": NEW_PASSWORD}
    await do(api, "updateMe", token=thief["token"], input=given)
    pending = await letterbox.link_to(C, VERIFY)
    await do(api, "requestPasswordReset", email=B)
    resetting = await letterbox.link_to(B, RESET)
    assert [await use(api, "undoEmailChange", undoing) for _ in range(2)] == [SUCCESS, SPENT]
    assert await token_reason(api, thief["token"]) == "TOKEN_REVOKED"
    refreshed = await do(api, "refresh", refreshToken=thief["refreshToken"])
    assert faults(refreshed) == [("TOKEN_REVOKED", "refreshToken")]
    assert await use(api, "verifyEmail", pending) == SPENT
    assert await reset(api, resetting, "the thief's next") == SPENT
    for email in (A, B, C):
        assert await sign_in(api, email, NEW_PASSWORD) == WRONG
    now = await current(api.database, ada.id)
    assert (now.email, now.pending_email, now.has_password) == (A, None, False)
    assert now.email_verified_at
    assert await held(api.database) == []
    assert link_in(await letterbox.to(B, CHANGED)) is None
    assert (await actions(api, admin, ada))[-3:] == [
        ("customer:update", ["email"], ada.name),
        ("email:change", [], ada.name),
        ("email:change_undo", [], ada.name),
    ]
    await do(api, "requestPasswordReset", email=A)
    assert await reset(api, await letterbox.link_to(A, RESET), "my very own one") == SUCCESS
    assert await sign_in(api, A, "my very own one") == SUCCESS
    assert faults(await register(api, B)) == SUCCESS


async def test_hijacker_who_moves_on_is_undone_from_the_first_address(
    api: Api, ada: Person, letterbox: Letterbox
) -> None:
    await move(api, letterbox, ada, B)
    mine = await letterbox.link_to(A, CHANGED)
    await move(api, letterbox, ada, C)
    theirs = await letterbox.link_to(B, CHANGED)
    assert await held(api.database) == [A, B]
    assert await use(api, "undoEmailChange", theirs) == SUCCESS
    assert ((await current(api.database, ada.id)).email, await held(api.database)) == (B, [A])
    thief = await again(api, ada)
    await move(api, letterbox, thief, C)
    theirs = await letterbox.link_to(B, CHANGED)
    await ask(api, thief, "thief@example.com")
    assert await use(api, "undoEmailChange", mine) == SUCCESS
    assert ((await current(api.database, ada.id)).email, await held(api.database)) == (A, [])
    assert await token_reason(api, thief.token) == "TOKEN_REVOKED"
    assert [await use(api, "undoEmailChange", link) for link in (mine, theirs)] == [SPENT, SPENT]
    assert await sign_in(api, A) == SUCCESS  # with the password of before the change


async def test_two_links_that_undo_at_once_are_used_one_after_the_other(
    api: Api, ada: Person, letterbox: Letterbox
) -> None:
    await move(api, letterbox, ada, B)
    mine = await letterbox.link_to(A, CHANGED)
    await move(api, letterbox, ada, C)
    theirs = await letterbox.link_to(B, CHANGED)
    told = await asyncio.gather(
        *(use(api, "undoEmailChange", link) for link in (mine, theirs, mine))
    )
    assert told[1] in (SUCCESS, SPENT)
    assert sorted([told[0], told[2]]) == [SUCCESS, SPENT]
    assert (await current(api.database, ada.id)).email == A


async def test_undo_link_is_good_for_a_week_after_the_change_took_effect(
    api: Api, ada: Person, letterbox: Letterbox, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    await ask(api, ada, B)
    link = await letterbox.link_to(B, VERIFY)
    set_clock(start + timedelta(hours=23))
    assert await use(api, "verifyEmail", link) == SUCCESS
    undoing = await letterbox.link_to(A, CHANGED)
    set_clock(start + timedelta(hours=23) + WEEK)
    assert await use(api, "undoEmailChange", undoing) == OLD
    assert faults(await register(api, A)) == SUCCESS
    set_clock(start + timedelta(hours=23) + WEEK - timedelta(seconds=1))
    assert await use(api, "undoEmailChange", undoing) == SPENT  # a clock was set back
    assert (await current(api.database, ada.id)).email == B
    await background.purge(api.resources)
    set_clock(start + timedelta(hours=23) + WEEK)
    await background.purge(api.resources)
    assert await use(api, "undoEmailChange", undoing) == SPENT


async def test_deactivated_account_gets_its_address_back_and_stays_deactivated(
    api: Api, ada: Person, admin: Person, letterbox: Letterbox
) -> None:
    await move(api, letterbox, ada, B)
    undoing = await letterbox.link_to(A, CHANGED)
    assert await by_admin(api, admin, ada, isActive=False) == SUCCESS
    assert await use(api, "undoEmailChange", undoing) == SUCCESS
    now = await current(api.database, ada.id)
    assert (now.email, now.is_active) == (A, False)
    assert await sign_in(api, A) == WRONG


async def test_address_of_who_is_gone_is_held_for_nobody(
    api: Api, ada: Person, letterbox: Letterbox
) -> None:
    await move(api, letterbox, ada, B)
    undoing = await letterbox.link_to(A, CHANGED)
    async with api.database.transaction() as db:
        await db.execute(delete(CustomerRow).where(CustomerRow.id == ada.id))
    assert await use(api, "undoEmailChange", undoing) == SPENT
    assert faults(await register(api, A)) == SUCCESS


async def test_mistyped_address_comes_to_nothing_when_its_owner_says_no(
    api: Api, ada: Person, admin: Person, letterbox: Letterbox
) -> None:
    typo = "ade@example.org"
    await ask(api, ada, typo)
    link = await letterbox.link_to(typo, VERIFY)
    await letterbox.to(A, REQUESTED)
    assert [await use(api, "declineEmail", link) for _ in range(2)] == [SUCCESS, SPENT]
    assert await use(api, "verifyEmail", link) == SPENT
    assert await token_reason(api, ada.token) is None
    now = await me(api, ada.token)
    assert (now["email"], now["pendingEmail"]) == (A, None)
    assert now["emailVerifiedAt"]
    assert await sign_in(api, A) == SUCCESS
    await until_all_letters_left(api)
    assert letterbox.unread() == []
    assert (await actions(api, admin, ada))[-2:] == [
        ("customer:update", ["pendingEmail"], None),
        ("email:decline", [], None),
    ]
    await move(api, letterbox, ada, B)
    assert (await me(api, ada.token))["email"] == B


async def test_mistyped_address_comes_to_nothing_when_the_right_one_is_asked_for(
    api: Api, ada: Person, letterbox: Letterbox
) -> None:
    typo = "ade@example.org"
    await ask(api, ada, typo)
    strangers = await letterbox.link_to(typo, VERIFY)
    await move(api, letterbox, ada, B)
    for mutation in ("verifyEmail", "declineEmail"):
        assert await use(api, mutation, strangers) == SPENT
    assert await sign_in(api, typo) == WRONG
    assert faults(await register(api, typo)) == SUCCESS


async def test_features_hear_of_what_is_undone(settings: Settings, letterbox: Letterbox) -> None:
    heard: list[str] = []

    async def hear(event: CommittedEvent) -> None:
        heard.append(event.name)

    names = ("email:changed", "email:restored")
    feature = Feature("ears", on=dict.fromkeys(names, hear))
    async with running(settings, features=[feature]) as api:
        ada = await signed_in(api.resources, await add_customer(api.database, "Ada"))
        await prove(api.database, ada)
        await move(api, letterbox, ada, B)
        await use(api, "undoEmailChange", await letterbox.link_to(A, CHANGED))
    assert heard == ["email:changed", "email:changed", "email:restored"]
