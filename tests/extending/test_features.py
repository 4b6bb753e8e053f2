"""Features: what they add to an application is there, and in no other."""

import asyncio

import httpx
import pytest
import strawberry
from alembic import command
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from gql_app import Feature, Role, create_app
from gql_app.db.migrations.branches import Branch, alembic_config
from gql_app.errors import (
    AdminRequired,
    Fault,
    Rejected,
    TooManyAttempts,
    Unauthenticated,
    UserErrorCode,
)
from gql_app.lib.database import Unavailable
from gql_app.settings import Settings
from tests.api import Api, running
from tests.extending.market.api import market
from tests.extending.market.rules import MarketSettings
from tests.people import add_customer, sign_in

OPEN = "mutation Open($name: String!) { openStall(name: $name) }"


async def test_fields_of_features_are_beside_ours(market_api: Api) -> None:
    answer = await market_api.run("{ currency token { valid } }")
    assert answer.data["currency"] == "EUR"


async def test_rule_of_a_feature_writes_for_who_is_signed_in(market_api: Api) -> None:
    ada = await sign_in(market_api.resources, await add_customer(market_api.database, "Ada"))
    assert (await market_api.run(OPEN, name="Fish")).reason("openStall") == "TOKEN_MISSING"
    answer = await market_api.run(OPEN, token=ada.token, name="Fish")
    assert answer.data["openStall"]


async def test_two_applications_of_one_process_share_no_feature(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    @strawberry.type
    class Weather:
        @strawberry.field
        def weather(self) -> str:
            return "fair"

    sky = Feature("sky", queries=[Weather], roles=[Role("pilot", {"planes:fly"})])
    monkeypatch.setenv("GQL_APP_MARKET_CURRENCY", " CHF ")
    async with (
        running(settings, features=[market]) as one,
        running(settings, features=[sky]) as other,
        running(settings) as none,
    ):
        assert (await one.run("{ currency }")).data == {"currency": "CHF"}
        assert (await other.run("{ weather }")).data == {"weather": "fair"}
        for api, query in ((one, "{ weather }"), (other, "{ currency }"), (none, "{ currency }")):
            assert "Cannot query field" in (await api.run(query)).error()["message"]
        names = [set(api.resources.extensions.roles.names) for api in (one, other, none)]
        assert names[0] - names[2] == {"warden"}
        assert names[1] - names[2] == {"pilot"}
        with pytest.raises(LookupError, match="MarketSettings are the settings of no feature"):
            other.resources.extensions.settings_of(MarketSettings)


async def test_route_of_a_feature_knows_who_is_calling(market_api: Api) -> None:
    ada = await sign_in(market_api.resources, await add_customer(market_api.database, "Ada"))
    sent = {"Authorization": f"Bearer {ada.token}", "Accept-Language": "de"}
    answer = await market_api.client.get("/market/whoami", headers=sent)
    assert answer.json() == {"id": str(ada.id), "language": "de", "currency": "EUR"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("authorization", "reason", "challenge"),
    [
        (None, "TOKEN_MISSING", "Bearer"),
        ("Bearer x", "TOKEN_MALFORMED", 'Bearer error="invalid_token"'),
        ("Bearer e30.e30.e30", "TOKEN_INVALID", 'Bearer error="invalid_token"'),
    ],
)
async def test_route_that_wants_a_caller_refuses_as_a_field_does(
    market_api: Api, authorization: str | None, reason: str, challenge: str
) -> None:
    sent = {"Authorization": authorization} if authorization else {}
    answer = await market_api.client.get("/market/whoami", headers=sent)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == challenge
    [error] = answer.json()["errors"]
    assert error["extensions"] == {"code": "UNAUTHENTICATED", "reason": reason}


@pytest.mark.parametrize(
    ("raised", "status", "wait", "code"),
    [
        (Unauthenticated(), 401, None, "UNAUTHENTICATED"),
        (AdminRequired("x:y"), 403, None, "FORBIDDEN"),
        (Unavailable(), 503, "1", "SERVICE_UNAVAILABLE"),
        (Rejected(Fault(UserErrorCode.TAKEN, "It is taken.")), 400, None, "TAKEN"),
        (TooManyAttempts(retry_after=9, limit="x"), 429, "9", "TOO_MANY_ATTEMPTS"),
        (ZeroDivisionError(), 500, None, "INTERNAL_SERVER_ERROR"),
        (asyncio.CancelledError(), 500, None, "INTERNAL_SERVER_ERROR"),
    ],
)
async def test_what_a_route_raises_is_answered_in_the_form_of_a_refusal(
    raised: BaseException, status: int, wait: str | None, code: str
) -> None:
    async def fail(_: Request) -> PlainTextResponse:
        raise raised

    feature = Feature("sky", routes=[Route("/sky", fail)])
    app = create_app(Settings(playground=False), features=[feature])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/sky")
    assert answer.status_code == status
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert answer.headers.get("retry-after") == wait
    assert answer.json()["errors"][0]["extensions"]["code"] == code


async def test_mounted_application_answers_what_is_not_ours(settings: Settings) -> None:
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    site = Starlette(routes=[Route("/{rest:path}", page)])
    async with running(settings, features=[Feature("site", routes=[Mount("/", site)])]) as api:
        assert (await api.client.get("/about")).text == "/about"
        assert (await api.client.get("/livez")).json() == {"status": "alive"}


async def test_server_is_ready_once_the_migrations_of_its_features_are_there(
    settings: Settings, branch: Branch
) -> None:
    async with running(settings, features=[market]) as api:
        answer = await api.client.get("/readyz")
        assert (answer.status_code, answer.json()["migrations"]) == (503, "pending")
    up = alembic_config(settings.database_url, branch)
    for revision, expected in (("0001", "pending"), ("0002", "ok")):
        await asyncio.to_thread(command.upgrade, up, revision)
        async with running(settings, features=[market]) as api:
            answer = await api.client.get("/readyz")
            assert answer.json()["migrations"] == expected
    async with running(settings) as api:  # without the feature
        assert (await api.client.get("/readyz")).json()["migrations"] == "ok"


async def test_field_that_wants_another_sign_in_challenges_as_without_a_token(
    settings: Settings,
) -> None:
    @strawberry.type
    class Weather:
        @strawberry.field
        def weather(self) -> str | None:
            raise Unauthenticated

    async with running(settings, features=[Feature("sky", queries=[Weather])]) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        accept = "application/graphql-response+json"
        answer = await api.run("{ weather }", token=ada.token, accept=accept)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.error("weather")["extensions"]["reason"] == "TOKEN_MISSING"
