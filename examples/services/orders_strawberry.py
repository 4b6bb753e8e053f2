"""A Strawberry service for callers with a valid token for "orders".

ACCOUNTS_URL=https://accounts.example.com uvicorn orders_strawberry:app
"""

import os
from typing import Any

import strawberry
from strawberry.asgi import GraphQL
from strawberry.permission import BasePermission

from gql_app.verify import TokenVerifier, bearer_token

verifier = TokenVerifier(
    os.environ["ACCOUNTS_URL"], issuer="gql_app", audience="orders", liveness=5
)


class IsSignedIn(BasePermission):
    """The caller has a valid token, whose session was open a few seconds ago at the latest."""

    async def has_permission(
        self, source: object, info: strawberry.Info[dict[str, Any]], **arguments: object
    ) -> bool:
        """Return True and store the token in the context, or raise the reason, with extensions."""
        del source, arguments
        authorization = info.context["request"].headers.get("Authorization")
        info.context["token"] = await verifier.verify(bearer_token(authorization))
        return True


@strawberry.type
class Query:
    """The queries."""

    @strawberry.field(permission_classes=[IsSignedIn])
    async def customer(self, info: strawberry.Info[dict[str, Any]]) -> strawberry.ID:
        """Return the caller's id."""
        return strawberry.ID(str(info.context["token"].customer_id))


app: GraphQL[dict[str, Any], None] = GraphQL(strawberry.Schema(Query))
