"""Hooks of events, after the commit and within the transaction."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from gql_app.accounts.audit import Action, Origin, Recorded
from gql_app.accounts.sessions import Caller
from gql_app.db.tables import AuditRow, SessionRow
from gql_app.errors import Refused
from gql_app.extending import hooks
from gql_app.extending.feature import Feature
from gql_app.extending.hooks import EVENTS, CommittedEvent, Event
from gql_app.extending.merging import parts_of
from gql_app.extending.transaction import Transaction
from gql_app.lib.clock import new_id, now
from gql_app.lib.telemetry import configure_logging
from gql_app.mail.mailboxes import by_email
from gql_app.settings import Settings
from tests.extending.graph import Graph, create_tables, graph
from tests.extending.shop import SHOP, Base, OrderRow, happened
from tests.people import PASSWORD, Person, add_customer, sign_in

REGISTER = """mutation ($name: String!) {
  register(input: {name: $name, email: "eve@example.com", password: "a password for tests"}) {
    status errors { code field } customer { id }
  }
}"""
BY_LINKS = {"email:declined", "email:restored", "email:verified"}
"""Events of links in letters: see tests/schema/test_email_change.py."""
RENAME = "mutation ($name: String!) { updateMe(input: {name: $name}) { errors { code field } } }"


async def run_all(shop: Graph) -> None:
    """Wait until no hook is left."""
    waiting = shop.resources.hooks
    assert isinstance(waiting, hooks.FeatureHooks)
    await waiting.done()


async def test_hook_runs_after_the_commit_and_what_it_writes_runs_none(shop: Graph) -> None:
    registered = (await shop.data(REGISTER, name="Eve New"))["register"]
    await run_all(shop)
    [event] = happened
    assert (event.name, str(event.customer_id)) == (
        "customer:registered",
        registered["customer"]["id"],
    )
    assert event.actor_id == event.customer_id
    assert [
        row.total_cents for row in await shop.resources.database.fetch_all(select(OrderRow))
    ] == [0]


async def test_hook_that_fails_harms_nobody(
    capsys: pytest.CaptureFixture[str], shop: Graph
) -> None:
    configure_logging("INFO")
    assert (await shop.data(REGISTER, name="Faulty"))["register"]["status"] == "SUCCESS"
    await run_all(shop)
    told = "".join(capsys.readouterr())
    assert "A hook failed" in told
    assert '"feature":"shop"' in told
    assert "customer:registered" in told


async def test_hook_whose_work_is_cancelled_is_logged(
    capsys: pytest.CaptureFixture[str], shop: Graph
) -> None:
    async def fail(_event: CommittedEvent) -> None:
        task = asyncio.ensure_future(asyncio.Event().wait())
        task.cancel()
        await task

    failing = hooks.FeatureHooks([("failing", {"session:opened": fail})], [])
    configure_logging("INFO")
    async with failing.running(shop.resources):
        failing.committed([Recorded(Action.LOGIN, now(), new_id(), Origin("192.0.2.1"), [])])
        await failing.done()
    assert "A hook failed" in "".join(capsys.readouterr())


async def test_hook_within_the_transaction_refuses_it(shop: Graph, ada: Person) -> None:
    answer = (await shop.data(REGISTER, name="Forbidden"))["register"]
    assert answer["errors"] == [{"code": "NOT_SERVED", "field": "name"}]
    changed = (await shop.data(RENAME, ada.token, name="Forbidden"))["updateMe"]
    assert changed["errors"] == [{"code": "NOT_SERVED", "field": "name"}]
    await run_all(shop)
    assert happened == []
    assert (await shop.data("{ me { name } }", ada.token))["me"] == {"name": "Ada Plain"}


async def test_event_names_what_was_changed_and_by_whom(shop: Graph, ada: Person) -> None:
    await shop.data(RENAME, ada.token, name="Ada King")
    await run_all(shop)
    [event] = happened
    assert (event.name, event.fields) == ("customer:updated", ("name",))
    assert (event.customer_id, event.actor_id) == (ada.id, ada.id)


async def test_hook_within_has_the_caller_and_origin_of_its_transaction(
    settings: Settings,
) -> None:
    callers: dict[str, Caller | None] = {}

    async def note(tx: Transaction, event: Event) -> None:
        callers[event.name] = tx.caller
        await tx.audit("hook:ran", customer_id=event.customer_id)

    async def check(tx: Transaction, event: Event) -> None:
        assert tx.me.customer_id == event.actor_id

    signed_in = dict.fromkeys(
        ("customer:updated", "customer:created", "customer:deleted", "session:ended", "order:place")
    )
    checking = Feature("checking", within=dict.fromkeys(signed_in, check))
    noting = Feature(
        "noting",
        actions=["hook:ran"],
        within=dict.fromkeys((*signed_in, "customer:registered", "session:opened"), note),
    )
    create = 'createCustomer(input: {name: "Eve", email: "e@example.com"}) { status }'
    async with graph(settings, [SHOP, checking, noting]) as shop:
        await create_tables(shop.resources.database, Base)
        database = shop.resources.database
        added = await add_customer(database, "Grace Admin", is_admin=True)
        grace = await sign_in(shop.resources, added)
        ada = await sign_in(shop.resources, await add_customer(database, "Ada Plain"))
        for document in (
            f'mutation {{ {create} updateMe(input: {{name: "G"}}) {{ status }} }}',
            f'mutation {{ deleteCustomer(id: "{ada.id}") {{ status }} }}',
            "mutation { placeOrder(totalCents: 5) { status } }",
            "mutation { logout { status } }",
        ):
            for payload in (await shop.data(document, grace.token)).values():
                assert payload["status"] == "SUCCESS"
        assert {name: each and each.session_id for name, each in callers.items()} == dict.fromkeys(
            signed_in, grace.session_id
        )
        await shop.data(REGISTER, name="Eve New")
        assert callers["customer:registered"] is callers["session:opened"] is None
        found = await database.fetch_all(
            select(AuditRow.ip_address, AuditRow.user_agent, AuditRow.actor_id)
            .where(AuditRow.action == "hook:ran")
            .order_by(AuditRow.at, AuditRow.id)
        )
    assert {(each.ip_address, each.user_agent) for each in found} == {("192.0.2.1", "tests")}
    assert [each.actor_id for each in found[:5]] == [grace.id] * 5


async def test_hook_within_a_deletion_records_no_origin_of_who_is_gone(settings: Settings) -> None:
    async def note(tx: Transaction, event: Event) -> None:
        await tx.audit("hook:ran", customer_id=event.customer_id)

    noting = Feature("noting", actions=["hook:ran"], within={"customer:deleted": note})
    async with graph(settings, [noting]) as shop:
        database = shop.resources.database
        ada = await sign_in(shop.resources, await add_customer(database, "Ada Plain"))
        delete = f'mutation {{ deleteMe(password: "{PASSWORD}") {{ status }} }}'
        assert (await shop.data(delete, ada.token))["deleteMe"]["status"] == "SUCCESS"
        [found] = await database.fetch_all(
            select(AuditRow.ip_address, AuditRow.user_agent, AuditRow.actor_id).where(
                AuditRow.action == "hook:ran"
            )
        )
    assert tuple(found) == (None, None, ada.id)


async def test_hook_within_a_deletion_sees_what_it_leaves_and_may_refuse_it(
    settings: Settings,
) -> None:
    async def keep_one(tx: Transaction, _: Event) -> None:
        left.append(len(await tx.fetch_all(select(SessionRow.id))))
        if not left[-1]:
            code = "LAST_ADMIN"
            raise Refused(code, "Somebody must stay.")

    left: list[int] = []
    keeping = Feature("keeping", within={"customer:deleted": keep_one})
    delete = f'mutation {{ deleteMe(password: "{PASSWORD}") {{ status }} }}'
    async with graph(settings, [keeping]) as shop:
        database = shop.resources.database
        ada, eve = [
            await sign_in(shop.resources, await add_customer(database, name))
            for name in ("Ada Plain", "Eve Plain")
        ]
        for person, status in ((ada, "SUCCESS"), (eve, "ERROR")):
            assert (await shop.data(delete, person.token))["deleteMe"]["status"] == status
        assert len(await database.fetch_all(select(SessionRow.id))) == 1
    assert left == [1, 0]


async def test_action_of_a_feature_is_an_event(shop: Graph, ada: Person) -> None:
    placed = await shop.data("mutation { placeOrder(totalCents: 5) { order { id } } }", ada.token)
    cancel = "mutation ($id: ID!) { cancelOrder(id: $id) { id } }"
    await shop.data(cancel, ada.token, id=placed["placeOrder"]["order"]["id"])
    await run_all(shop)
    assert [each.name for each in happened] == ["order:place", "order:cancel"]


async def test_every_event_comes_with_what_clients_do(settings: Settings) -> None:
    seen: list[str] = []
    within: list[str] = []

    async def note(event: CommittedEvent) -> None:
        seen.append(event.name)

    async def note_within(_tx: Transaction, event: Event) -> None:
        within.append(event.name)

    feature = Feature(
        "notes",
        on=dict.fromkeys(EVENTS, note),
        within=dict.fromkeys(EVENTS, note_within),
    )
    async with graph(settings, [feature]) as notes:
        added = await add_customer(notes.resources.database, "Grace Admin", is_admin=True)
        grace = await sign_in(notes.resources, added)
        for name, mutation in (
            ("session:opened", "login(email: $mine, password: $password)"),
            (
                "customer:created",
                'createCustomer(input: {name: "A", email: "a@example.com", password: $password})',
            ),
            ("customer:updated", 'updateMe(input: {phone: "+1 555 0100"})'),
            (
                "email:changed",
                'updateMe(input: {email: "g@example.com", currentPassword: $password})',
            ),
            (
                "customer:registered",
                'register(input: {name: "B", email: "b@example.com", password: $password})',
            ),
            ("session:ended", "endOtherSessions"),
            (
                "password:changed",
                'changePassword(currentPassword: $password, newPassword: "another one of mine")',
            ),
        ):
            variables = {"mine": grace.email, "password": PASSWORD}
            used = {each: value for each, value in variables.items() if f"${each}" in mutation}
            declared = ", ".join(f"${each}: String!" for each in used)
            heading = f"mutation ({declared})" if used else "mutation"
            document = f"{heading} {{ done: {mutation} {{ status message }} }}"
            answer = await notes.data(document, grace.token, **used)
            assert answer["done"]["status"] == "SUCCESS", answer
            await run_all(notes)
            assert name in seen
            assert seen == within
        row = await by_email(notes.resources.database, "a@example.com")
        assert row is not None
        other = await sign_in(notes.resources, added)
        gone = f'mutation {{ deleteCustomer(id: "{row.id}") {{ status }} }}'
        assert (await notes.data(gone, other.token))["deleteCustomer"]["status"] == "SUCCESS"
        await run_all(notes)
        assert "customer:deleted" in seen
    assert set(seen) == set(EVENTS) - BY_LINKS


def test_each_action_is_one_event() -> None:
    actions = [action for of_event in EVENTS.values() for action in of_event]
    assert len(actions) == len(set(actions))
    assert set(actions) <= set(Action)


async def test_hooks_are_waited_for_when_the_process_stops(settings: Settings) -> None:
    begun, done = asyncio.Event(), []

    async def slow(event: CommittedEvent) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        done.append(event)

    async with graph(settings, [Feature("slow", on={"customer:registered": slow})]) as slowly:
        await slowly.data(REGISTER, name="Eve New")
        await begun.wait()
    assert len(done) == 1


async def test_hooks_beyond_the_bound_are_dropped_and_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hooks, "MAX_WAITING", 1)
    monkeypatch.setattr(hooks, "RUNNING", 0)
    monkeypatch.setattr(hooks, "DRAIN_TIMEOUT", 0)

    async def never(_event: CommittedEvent) -> None: ...

    feature = Feature("never", on={"session:opened": never, "customer:registered": never})
    configure_logging("INFO")
    async with graph(settings, [feature]) as bounded:
        await bounded.data(REGISTER, name="Eve New")
    told = "".join(capsys.readouterr())
    assert "Too many hooks wait" in told
    assert "Hooks were left behind" in told


async def test_clients_take_turns_and_have_shares(
    shop: Graph, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hooks, "MAX_WAITING", 8)
    monkeypatch.setattr(hooks, "RUNNING", 1)
    gate, ran = asyncio.Event(), []

    async def note(event: CommittedEvent) -> None:
        await gate.wait()
        ran.append(event.fields[0])

    noted = hooks.FeatureHooks([("notes", {"session:opened": note})], [])
    configure_logging("INFO")
    async with noted.running(shop.resources):
        for address, times in (("192.0.2.1", 9), ("198.51.100.7", 1)):
            for number in range(times):
                event = Recorded(
                    Action.LOGIN, now(), new_id(), Origin(address), [f"{address} {number}"]
                )
                noted.committed([event])
        await asyncio.sleep(0)
        gate.set()
        await noted.done()
    assert ran == ["192.0.2.1 0", "192.0.2.1 1", "198.51.100.7 0", "192.0.2.1 2"]
    assert "".join(capsys.readouterr()).count("Too many hooks wait") == 6


def test_what_is_of_another_type_is_told_at_start() -> None:
    def hook(_event: CommittedEvent) -> None: ...

    faults: list[str] = []
    wrong: Any = {"on": {"email:changed": hook}, "letters": ["a"], "password_rules": [1]}
    parts_of([Feature("wrong", **wrong)], faults)
    assert faults == [
        "The feature wrong: 'a' is no Letter.",
        "The feature wrong: the password rule 1 is no function.",
        "The feature wrong: the hook of email:changed is no asynchronous function.",
    ]


def test_hook_of_no_event_is_told_at_start() -> None:
    async def hook(_event: CommittedEvent) -> None: ...

    faults: list[str] = []
    parts_of([Feature("typo", on={"customer:registred": hook})], faults)
    [fault] = faults
    assert fault.startswith("The feature typo: there is no event customer:registred. There are")
