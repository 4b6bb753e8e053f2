"""Writing by a feature's rules: the caller judged again, refusals, the audit and letters."""

import asyncio
from collections.abc import Sequence
from math import nan
from uuid import UUID

import pytest
from sqlalchemy import bindparam, func, select, update

from gql_app.accounts import sessions
from gql_app.accounts.audit import Origin
from gql_app.db.tables import AuditRow, CustomerRow, LetterRow
from gql_app.errors import TokenMissing, TokenRevoked, Undeclared
from gql_app.extending.context import Context
from gql_app.extending.letters import Letter
from gql_app.extending.settings import FeatureSettings
from gql_app.extending.transaction import Transaction, transact
from gql_app.lib.telemetry import configure_logging
from gql_app.metrics import new_metrics
from gql_app.web.graphql import authenticate_header
from tests.extending.graph import Graph
from tests.extending.shop import RECEIPT, OrderRow, write_receipt
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, sign_out

DEMOTE = update(CustomerRow).where(CustomerRow.id == bindparam("of")).values(is_admin=False)
PLACE = "mutation ($cents: Int!) { placeOrder(totalCents: $cents) { status message errors { code field message } order { id status } } }"  # noqa: E501
CANCEL = "mutation ($id: ID!) { cancelOrder(id: $id) { status } }"
LOGIN = f'mutation {{ login(email: "ada@example.com", password: "{PASSWORD}") {{ customer {{ id }} }} }}'  # noqa: E501
EVENTS = "query ($action: String) { auditEvents(action: $action) { nodes { action fields customer { name } actor { name } } } }"  # noqa: E501


async def count(shop: Graph, table: type) -> int:
    """Return how many rows a table has."""
    row = await shop.resources.database.fetch_one(select(func.count()).select_from(table))
    number: int = row[0]
    return number


async def wait_until(shop: Graph, *, left: int) -> None:
    """Wait until so many letters are left; a test that waits for ever fails."""
    async with asyncio.timeout(30):
        while await count(shop, LetterRow) > left:  # noqa: ASYNC110 — a database sets no event
            await asyncio.sleep(0)


async def test_rule_of_a_feature_writes_in_one_transaction(
    shop: Graph, ada: Person, bob: Person, grace: Person
) -> None:
    placed = (await shop.data(PLACE, ada.token, cents=5))["placeOrder"]
    assert (placed["status"], placed["order"]["status"]) == ("SUCCESS", "PLACED")
    order_id = placed["order"]["id"]
    assert (await shop.ask(CANCEL, bob.token, id=order_id)).code("cancelOrder") == "NOT_FOUND"
    assert (await shop.data(CANCEL, ada.token, id=order_id))["cancelOrder"] == {
        "status": "CANCELLED"
    }
    again = await shop.ask(CANCEL, ada.token, id=order_id)
    assert again.code("cancelOrder") == "NOT_CANCELLABLE"
    assert again.errors[0]["message"] == "It has been shipped."
    events = (await shop.data(EVENTS, grace.token, action="order:cancel"))["auditEvents"]["nodes"]
    who = {"name": "Ada Plain"}
    assert events == [
        {"action": "order:cancel", "fields": ["status"], "customer": who, "actor": who}
    ]
    assert (await shop.data(EVENTS, grace.token, action="order:eat"))["auditEvents"] == {
        "nodes": []
    }


async def test_refusal_is_among_the_errors_of_a_payload(shop: Graph, ada: Person) -> None:
    answer = await shop.ask(PLACE, ada.token, cents=-1)
    assert answer.data["placeOrder"]["errors"] == [
        {"code": "NOT_PAYABLE", "field": "totalCents", "message": "It costs less than nothing."}
    ]
    assert answer.context.refusals == {"NOT_PAYABLE"}
    assert await count(shop, OrderRow) == 0


async def test_code_that_nobody_has_declared_is_a_fault_of_the_server(
    capsys: pytest.CaptureFixture[str], shop: Graph, ada: Person
) -> None:
    configure_logging("INFO")
    assert (await shop.ask(PLACE, ada.token, cents=0)).code("placeOrder") == "INTERNAL_SERVER_ERROR"
    assert (await shop.ask("mutation { misspell }")).code("misspell") == "INTERNAL_SERVER_ERROR"
    told = "".join(capsys.readouterr())
    assert "UndeclaredCode: UNKNOWN_HERE is no code of this schema" in told
    assert "MISSPELT is no code of this schema" in told


def test_codes_of_features_are_labels_of_the_metrics() -> None:
    metrics = new_metrics(codes=["NOT_PAYABLE"])
    metrics.request("mutation", "NOT_PAYABLE", 0.1)
    shown, _ = metrics.exposition("text/plain")
    assert b'outcome="NOT_PAYABLE"} 1.0' in shown


async def test_who_signed_out_or_lost_a_permission_meanwhile_writes_nothing(
    shop: Graph, ada: Person, grace: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = "mutation { placeAsAdmin }"
    assert (await shop.ask(admin, ada.token)).code("placeAsAdmin") == "FORBIDDEN"
    assert (await shop.data(admin, grace.token)) == {"placeAsAdmin": "5"}
    transact = Context.transact

    async def once_demoted(*args: object, **named: object) -> object:
        async with shop.resources.database.transaction() as db:
            await db.execute(DEMOTE, of=grace.id)
        return await transact(*args, **named)  # type: ignore[arg-type]  # as it was called

    async def once_signed_out(*args: object, **named: object) -> object:
        await sign_out(shop.resources, ada)
        return await transact(*args, **named)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(Context, "transact", once_demoted)
    assert (await shop.ask(admin, grace.token)).code("placeAsAdmin") == "FORBIDDEN"
    monkeypatch.setattr(Context, "transact", once_signed_out)
    assert (await shop.ask(PLACE, ada.token, cents=5)).code("placeOrder") == "UNAUTHENTICATED"
    assert await count(shop, OrderRow) == 1


async def test_without_a_token_there_is_no_caller(shop: Graph, ada: Person) -> None:
    counted = "mutation { count }"
    assert await shop.data(counted) == {"count": "1 None"}
    assert await shop.data(counted, "no.good.token") == {"count": "1 None"}
    assert await shop.data(counted, ada.token) == {"count": f"1 {ada.id}"}


@pytest.mark.parametrize(
    "earlier", ["mutation { count }", "{ me { id } }", "{ customers { nodes { id } } }", LOGIN]
)
async def test_who_was_signed_in_earlier_in_a_request_writes_nothing_as_nobody(
    shop: Graph, ada: Person, earlier: str
) -> None:
    async def rule(_tx: Transaction) -> None:
        """Do nothing."""

    token = None if earlier == LOGIN else ada.token
    assert await shop.data("{ me { id } }", ada.token)  # who is known then is proven by a list
    answer = await shop.ask(earlier, token)
    assert not answer.errors
    async with shop.resources.database.transaction() as db:
        await sessions.end_all(db, ada.id)
    for context in answer.context.views.values() if earlier == LOGIN else [answer.context]:
        assert isinstance(context, Context)
        context._signed_in = None  # noqa: SLF001 — as a write leaves it
        with pytest.raises(TokenRevoked):
            await context.write(rule)
    assert bool(answer.context.views) == (earlier == LOGIN)


async def test_what_is_not_declared_can_be_neither_recorded_nor_posted(
    shop: Graph, ada: Person
) -> None:
    async def recording(tx: Transaction) -> None:
        await tx.audit("order:eat")

    async def posting(tx: Transaction) -> None:
        await tx.post(Letter("other", write_receipt), ada.id)

    for rule in (recording, posting):
        with pytest.raises(LookupError, match=r"name it in Feature\."):
            await transact(shop.resources, rule)


@pytest.mark.parametrize("fields", [[1], [None], ["cents", {"a": 1}], "cents"])
async def test_fields_of_a_record_are_names_of_fields(
    shop: Graph, ada: Person, fields: Sequence[str]
) -> None:
    async def rule(tx: Transaction) -> None:
        await tx.audit("order:place", customer_id=ada.id, fields=fields)

    before = await count(shop, AuditRow)
    with pytest.raises(TypeError, match="the fields of order:place are no list of names"):
        await transact(shop.resources, rule)
    assert await count(shop, AuditRow) == before


async def test_letter_is_written_of_its_data_when_it_is_sent(
    shop: Graph, ada: Person, letterbox: Letterbox
) -> None:
    await shop.data(PLACE, ada.token, cents=5)
    letter = await letterbox.next()
    assert (letter.recipient, letter.subject) == (ada.email, "Your order")
    assert letter.body == "Dear Ada Plain, it costs 5."


@pytest.mark.parametrize("unlucky", [13, 17])
async def test_letter_that_cannot_be_written_keeps_no_other_back(
    capsys: pytest.CaptureFixture[str],
    shop: Graph,
    ada: Person,
    letterbox: Letterbox,
    unlucky: int,
) -> None:
    configure_logging("INFO")
    await shop.data(PLACE, ada.token, cents=unlucky)
    await shop.data(PLACE, ada.token, cents=14)
    assert (await letterbox.next()).body == "Dear Ada Plain, it costs 14."
    await wait_until(shop, left=1)
    [left] = await shop.resources.database.fetch_all(select(LetterRow.data, LetterRow.attempts))
    assert left == ({"total": unlucky}, 1)
    assert "A letter can't be written" in "".join(capsys.readouterr())


async def test_data_of_a_letter_has_no_number_that_json_has_not(shop: Graph, ada: Person) -> None:
    async def rule(tx: Transaction) -> None:
        await tx.post(RECEIPT, ada.id, total=nan)

    with pytest.raises(TypeError, match="infinite or NaN"):
        await transact(shop.resources, rule)
    assert await count(shop, LetterRow) == 0


async def test_a_mailbox_gets_so_many_of_a_kind_in_a_day(
    shop: Graph, ada: Person, letterbox: Letterbox
) -> None:
    most = shop.resources.outbox.letters_per_day
    for n in range(most + 1):
        await shop.data(PLACE, ada.token, cents=20 + n)
    await wait_until(shop, left=0)
    assert [(await letterbox.next()).subject for _ in range(most)] == ["Your order"] * most
    assert letterbox.empty


async def test_rule_knows_who_asks_and_the_settings_of_its_feature(
    shop: Graph, ada: Person
) -> None:
    async def me(tx: Transaction) -> tuple[UUID, type[Exception] | None]:
        missing = None
        try:
            tx.settings_of(FeatureSettings)
        except LookupError as why:
            missing = type(why)
        return tx.me.customer_id, missing

    assert await context_of(shop, ada.token).write(me) == (ada.id, Undeclared)
    with pytest.raises(TokenMissing):
        await context_of(shop, None).write(me)
    with pytest.raises(TokenMissing):
        await transact(shop.resources, me)


def context_of(shop: Graph, token: str | None) -> Context:
    """Return the context of a request with a token."""
    header = [] if token is None else [f"Bearer {token}".encode()]
    presented = authenticate_header(header, shop.resources)
    return Context(shop.resources, presented=presented, origin=Origin(), request_id="none")
