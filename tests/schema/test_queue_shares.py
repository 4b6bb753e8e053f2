"""The queue of passwords: everybody's turn comes, whatever one client asks for."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from sqlalchemy import update

from gql_app.db.tables import CustomerRow
from gql_app.lib.fair_queue import FairQueue, Party
from gql_app.settings import Settings
from tests.api import Api, running
from tests.hashing import busy
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, send

TURNED_AWAY: list[CodeAndField] = [("TOO_MANY_ATTEMPTS", None)]
HERE = "192.0.2.1"
NEW = "another good one"


@pytest.fixture
def parties(monkeypatch: pytest.MonkeyPatch) -> list[Party]:
    """Take down for whom each place is."""
    taken: list[Party] = []
    real = FairQueue.place

    def spy(queue: FairQueue, party: Party) -> AbstractAsyncContextManager[None]:
        taken.append(party)
        return real(queue, party)

    monkeypatch.setattr(FairQueue, "place", spy)
    return taken


async def waiting(api: Api, count: int) -> None:
    """Wait until so many wait for the thread."""
    async with asyncio.timeout(60):
        while api.resources.passwords.use["waiting"] < count:  # noqa: ASYNC110 — nobody tells it
            await asyncio.sleep(0.001)


async def turned_away(tries: Sequence[asyncio.Task[Any]], count: int) -> None:
    """Wait until so many tries are answered, though the thread is busy."""
    async with asyncio.timeout(60):
        while sum(one.done() for one in tries) < count:  # noqa: ASYNC110 — nobody tells it
            await asyncio.sleep(0.001)


async def test_right_passwords_of_one_client_leave_others_their_sign_in(
    settings: Settings,
) -> None:
    narrow = settings.model_copy(update={"password_threads": 1, "password_queue": 16})
    async with running(narrow) as api, api.elsewhere("203.0.113.5") as elsewhere:
        throwaway = await add_customer(api.database, "Thea Throwaway")
        victim = await add_customer(api.database, "Vic Tim")
        async with busy(api.resources.passwords):
            flood = [
                asyncio.create_task(do(api, "login", email=throwaway.email, password=PASSWORD))
                for _ in range(40)
            ]
            await waiting(api, 4)
            tries = [
                asyncio.create_task(do(elsewhere, "login", email=victim.email, password=PASSWORD))
                for _ in range(3)
            ]
            await waiting(api, 7)
            await turned_away(flood, 36)
        assert [faults(await one) for one in tries] == [SUCCESS] * 3
        told = [faults(await one) for one in flood]
        assert (told.count(SUCCESS), told.count(TURNED_AWAY)) == (4, 36)


async def test_account_that_is_flooded_with_guesses_from_one_client_opens_from_another(
    settings: Settings,
) -> None:
    narrow = settings.model_copy(update={"password_threads": 1, "password_queue": 16})
    async with running(narrow) as api, api.elsewhere("203.0.113.5") as elsewhere:
        owner = await add_customer(api.database, "Olga Owner")
        async with busy(api.resources.passwords):
            flood = [
                asyncio.create_task(do(api, "login", email=owner.email, password="a wrong one"))
                for _ in range(40)
            ]
            await waiting(api, 4)
            signing_in = asyncio.create_task(
                do(elsewhere, "login", email=owner.email, password=PASSWORD)
            )
            await waiting(api, 5)
        assert faults(await signing_in) == SUCCESS
        await asyncio.gather(*flood)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_whoever_has_a_password_hashed_has_a_share_of_their_own(
    letterbox: Letterbox, parties: list[Party], api: Api
) -> None:
    ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
    bob = await add_customer(api.database, "Bob")
    admin = await sign_in(
        api.resources, await add_customer(api.database, "Grace Admin", is_admin=True)
    )
    await do(api, "requestPasswordReset", email=bob.email)
    link = await letterbox.link()
    new = {"name": "Nora", "email": "nora@example.com", "password": NEW}
    moved = {"email": "rita@example.com", "currentPassword": PASSWORD}
    change: dict[str, object] = {"id": str(bob.id), "input": {"password": "yet another one"}}
    operations: list[tuple[str, Person | None, object, dict[str, object]]] = [
        ("login", None, ada.id, {"email": "ADA@example.com", "password": PASSWORD}),
        ("login", None, "nobody@example.com", {"email": "nobody@example.com", "password": "x"}),
        ("login", None, None, {"email": "no address", "password": "x"}),
        ("register", None, None, {"input": new | {"email": "rob@example.com"}}),
        ("resetPassword", None, bob.id, {"token": link, "newPassword": NEW}),
        ("createCustomer", admin, admin.id, {"input": new}),
        ("updateCustomer", admin, admin.id, change),
        ("updateMe", ada, ada.id, {"input": moved}),
        ("deleteMe", ada, ada.id, {"password": "a wrong one"}),
        ("changePassword", ada, ada.id, {"currentPassword": PASSWORD, "newPassword": NEW}),
    ]
    for name, person, account, given in operations:
        parties.clear()
        await send(api, name, given, token=person.token if person else None)
        assert set(parties) == {Party.of(HERE, account)}, name


async def test_weak_password_of_before_still_opens_the_account(api: Api) -> None:
    row = await add_customer(api.database, "Ada")
    hashed = await api.resources.passwords.hash("Password123!", Party.of(HERE))
    async with api.database.transaction() as db:
        itself = CustomerRow.id == row.id
        await db.execute(update(CustomerRow).where(itself).values(password_hash=hashed))
    assert faults(await do(api, "login", email=row.email, password="Password123!")) == SUCCESS


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
@pytest.mark.parametrize(
    "password", ["a wrong password", "x" * 10_000, "e" + "\u0301" * 31, "\u0301\u0327" * 1_000]
)
async def test_text_that_can_be_no_password_takes_the_work_of_a_wrong_one(
    api: Api, parties: list[Party], email: str, password: str
) -> None:
    await add_customer(api.database, "Ada")
    told = await do(api, "login", email=email, password=password)
    assert faults(told) == [("INVALID_CREDENTIALS", None)]
    assert len(parties) == 1
