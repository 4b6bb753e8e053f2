"""The market's API."""

import strawberry
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gql_app import (
    Feature,
    Info,
    IsAuthenticated,
    Role,
    context_of,
    create_app,
)
from tests.extending.market import rules


@strawberry.type
class Market:
    """The queries of the market."""

    @strawberry.field
    def currency(self, info: Info) -> str:
        """Return the currency."""
        return info.context.settings_of(rules.MarketSettings).currency


@strawberry.type
class Trading:
    """The mutations of the market."""

    @strawberry.mutation(permission_classes=[IsAuthenticated])
    async def open_stall(self, info: Info, name: str) -> strawberry.ID | None:
        """Open a stall of the caller."""
        caller = await info.context.caller()
        stall = await info.context.write(rules.open_stall, caller.customer_id, name)
        return strawberry.ID(str(stall))


async def whoami(request: Request) -> JSONResponse:
    """Answer the caller's id and language."""
    context = await context_of(request)
    caller = await context.caller()
    currency = context.settings_of(rules.MarketSettings).currency
    return JSONResponse(
        {"id": str(caller.customer_id), "language": context.language, "currency": currency}
    )


market = Feature(
    "market",
    queries=[Market],
    mutations=[Trading],
    roles=[Role("warden", {"customers:read_private", "stalls:close"})],
    error_codes=["STALL_CLOSED"],
    actions=["stall:open"],
    migrations="tests.extending.market:migrations",
    settings=rules.MarketSettings,
    password_rules=[rules.no_haggling],
    commands=[rules.count_stalls],
    routes=[Route("/market/whoami", whoami)],
)
app = create_app(features=[market])
