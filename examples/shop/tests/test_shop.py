"""The shop, over HTTP: what each kind of caller may do and see."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import httpx
import jwt
import pytest
from running import APP, PASSWORD, PLACE, Shop
from starlette.types import Receive, Scope, Send

from gql_app import Reader, create_app

ACT = """mutation ($id: ID!) {
  %s(id: $id) { status errors { code field } order { id status } }
}"""
NESTED = "{ customers { nodes { name orders { totalCents status } } } }"
LIST = """query ($first: Int, $after: String, $last: Int, $before: String, $filter: OrderFilter) {
  orders(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    nodes { totalCents status }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    totalCount
  }
}"""


def act(shop: Shop, what: str, by: str, order_id: str) -> Any:  # noqa: ANN401
    """Return the status of an order after a mutation, or the code of what was wrong."""
    payload = shop.data(ACT % what, by, id=order_id)[what]
    [code] = [each["code"] for each in payload["errors"]] or [None]
    return code or payload["order"]["status"]


def refusal(answer: Any) -> tuple[str, str | None]:  # noqa: ANN401
    """Return the reason of the one refusal, and the permission that is lacking."""
    [error] = answer["errors"]
    return error["extensions"]["reason"], error["extensions"].get("permission")


def cents(shop: Shop, by: str, **arguments: object) -> tuple[list[int], Any]:
    """Return the totals on a page of orders, and its pageInfo."""
    page = shop.data(LIST, by, **arguments)["orders"]
    return [each["totalCents"] for each in page["nodes"]], page["pageInfo"]


def nested(shop: Shop, by: str) -> dict[str, Any]:
    """Return the newest orders of everybody, by their names."""
    nodes = shop.data(NESTED, by)["customers"]["nodes"]
    return {each["name"]: each["orders"] for each in nodes}


@asynccontextmanager
async def in_process(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of the shop in this very process."""
    for name, value in shop.settings.items():
        monkeypatch.setenv(name, value)
    from shop.api import shop as feature  # noqa: PLC0415 — it reads the settings

    app = create_app(features=[feature])
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url=shop.client.base_url) as client:
            yield client


def test_migrations_of_the_shop_that_are_pending_are_seen(
    unmigrated: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def readiness() -> httpx.Response:
        async with in_process(unmigrated, monkeypatch) as client:
            return await client.get("/readyz")

    answer = asyncio.run(readiness())
    assert (answer.status_code, answer.json()["migrations"]) == (503, "pending")


def test_nested_list_of_a_page_is_one_statement(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = []
    fetch_all = Reader.fetch_all
    asking = ContextVar("asking", default=False)  # it is not for what runs beside the request

    async def counted(self: Reader, query: Any, /, **values: object) -> list[Any]:  # noqa: ANN401
        if asking.get():
            statements.append(query)
        return await fetch_all(self, query, **values)

    async def page() -> Any:  # noqa: ANN401
        headers = {"Authorization": f"Bearer {shop.people['admin'][1]}"}
        async with in_process(shop, monkeypatch) as client:
            await client.post("/graphql", json={"query": "{ me { id } }"}, headers=headers)
            monkeypatch.setattr(Reader, "fetch_all", counted)
            asking.set(True)
            answer = await client.post("/graphql", json={"query": NESTED}, headers=headers)
        return answer.json()["data"]["customers"]["nodes"]

    for name in ("ada", "bob"):
        shop.place(name)
    nodes = asyncio.run(page())
    assert len([each for each in nodes if each["orders"]]) > 1
    assert len(statements) == 2


def test_order_is_placed_within_the_setting(shop: Shop) -> None:
    assert refusal(shop.ask(PLACE, cents=1)) == ("TOKEN_MISSING", None)
    placed = shop.data(PLACE, "ada", cents=50_000)["placeOrder"]
    assert placed["order"] == {
        "id": placed["order"]["id"],
        "status": "PLACED",
        "totalCents": 50_000,
    }
    for wrong in (0, 50_001):
        refused = shop.data(PLACE, "ada", cents=wrong)["placeOrder"]
        assert refused["errors"] == [{"code": "INVALID", "field": "totalCents"}]
        assert refused["order"] is None


def test_order_is_cancelled_by_its_owner_and_by_who_may(shop: Shop) -> None:
    for by, then in (
        ("ada", "CANCELLED"),
        ("bob", "NOT_FOUND"),
        ("dora", "NOT_FOUND"),
        ("admin", "CANCELLED"),
    ):
        assert act(shop, "cancelOrder", by, shop.place("ada")) == then
    order_id = shop.place("ada")
    assert act(shop, "cancelOrder", "ada", order_id) == "CANCELLED"
    assert act(shop, "cancelOrder", "ada", order_id) == "NOT_CANCELLABLE"
    for nobodys in ("", "x", order_id.upper() + "0", "00000000-0000-7000-8000-000000000000"):
        assert act(shop, "cancelOrder", "ada", nobodys) == "NOT_FOUND"


def test_order_is_refunded_by_who_has_the_permission_for_as_long(shop: Shop) -> None:
    order_id = shop.place("ada")
    assert act(shop, "refundOrder", "dora", order_id) == "NOT_REFUNDABLE"
    told = shop.command(*APP, "ship", order_id)
    assert told == f"Order {order_id} is on its way.\n"
    assert act(shop, "cancelOrder", "ada", order_id) == "NOT_CANCELLABLE"
    lacking = ("PERMISSION_REQUIRED", "orders:refund")
    assert refusal(shop.ask(ACT % "refundOrder", "ada", id=order_id)) == lacking
    shop.grant("dora")
    for _ in range(6):  # by whichever worker
        assert refusal(shop.ask(ACT % "refundOrder", "dora", id=order_id)) == lacking
    shop.grant("dora", "order_desk")
    assert act(shop, "refundOrder", "dora", order_id) == "REFUNDED"
    assert act(shop, "refundOrder", "dora", order_id) == "NOT_REFUNDABLE"


def test_nested_list_is_null_for_strangers(shop: Shop) -> None:
    shop.register("carla")
    for number in range(6):
        shop.place("carla", 100 + number)
    newest = [{"totalCents": 100 + number, "status": "PLACED"} for number in (5, 4, 3, 2, 1)]
    for by in ("carla", "dora", "admin"):
        assert nested(shop, by)["carla"] == newest
    assert nested(shop, "carla")["ada"] is None
    assert nested(shop, "bob")["carla"] is None
    assert refusal(shop.ask(NESTED)) == ("TOKEN_MISSING", None)


def test_orders_are_paged_both_ways_with_filter_and_cursor(shop: Shop) -> None:
    shop.register("paul")
    ids = [shop.place("paul", number) for number in (1, 2, 3, 4, 5)]
    act(shop, "cancelOrder", "paul", ids[1])
    first, info = cents(shop, "paul", first=2)
    assert (first, info["hasNextPage"], info["hasPreviousPage"]) == ([1, 2], True, False)
    after = info["endCursor"]
    second, info = cents(shop, "paul", first=2, after=after)
    assert (second, info["hasPreviousPage"]) == ([3, 4], True)
    assert cents(shop, "paul", last=2, before=info["startCursor"])[0] == [1, 2]
    assert cents(shop, "paul", last=2)[0] == [4, 5]
    placed = {"status": "PLACED"}
    assert cents(shop, "paul", filter=placed)[0] == [1, 3, 4, 5]
    [error] = shop.ask(LIST, "paul", first=2, after=after, filter=placed)["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert shop.data(LIST, "paul")["orders"]["totalCount"] == 5
    assert 5 not in cents(shop, "bob", first=500)[0]
    assert 5 in cents(shop, "dora", first=500)[0]


def test_who_registers_is_greeted_and_their_token_counts_their_orders(shop: Shop) -> None:
    shop.register("greta")
    while shop.letters.arrived.get(timeout=60) != ("greta@example.com", "Welcome to the shop"):
        pass
    shop.place("greta")
    claims = jwt.decode(shop.sign_in("greta"), options={"verify_signature": False})
    assert claims["shop_orders"] == 1


def test_password_about_the_shop_is_refused(shop: Shop) -> None:
    payload = shop.register("sly", f"{PASSWORD} of the SHOP")
    [error] = payload["errors"]
    assert (error["code"], error["field"]) == ("WEAK_PASSWORD", "password")
    assert error["message"] == "Leave the shop's name out of it."


def test_two_workers_serve_what_is_migrated(shop: Shop) -> None:
    assert shop.client.get("/readyz").json()["migrations"] == "ok"
    assert "\ngql_app_processes 2.0\n" in shop.client.get("/metrics").text
