"""A Strawberry service that accepts tokens for "orders" with an open session.

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
    """The caller has a valid token, whose session was open a few seconds ago."""

    async def has_permission(
        self, source: object, info: strawberry.Info[dict[str, Any]], **arguments: object
    ) -> bool:
        """Return True and store the verified token; raise an error with extensions otherwise."""
        del source, arguments
        authorization = info.context["request"].headers.get("Authorization")
        info.context["token"] = await verifier.verify(bearer_token(authorization))
        return True


@strawberry.type
class Query:
    """The service's queries."""

    @strawberry.field(permission_classes=[IsSignedIn])
    async def customer(self, info: strawberry.Info[dict[str, Any]]) -> strawberry.ID:
        """Return the id of the caller."""
        return strawberry.ID(str(info.context["token"].customer_id))


app: GraphQL[dict[str, Any], None] = GraphQL(strawberry.Schema(Query))
