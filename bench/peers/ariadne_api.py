"""Ariadne with its parser and validator cached, on asyncpg."""

import os
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import asyncpg
from ariadne import QueryType, ScalarType, make_executable_schema
from ariadne.asgi import GraphQL
from graphql import DocumentNode, GraphQLError, GraphQLResolveInfo, GraphQLSchema, parse, validate
from jwt.exceptions import PyJWTError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from bench.peers import signing

TYPES: Final = """
scalar DateTime
type Customer {
  id: ID!
  name: String!
  email: String
  phone: String
  isActive: Boolean
  isAdmin: Boolean!
  createdAt: DateTime!
  updatedAt: DateTime!
}
type PageInfo { hasNextPage: Boolean! endCursor: String }
type Customers { nodes: [Customer!]! pageInfo: PageInfo! }
type Query { me: Customer customers(first: Int!): Customers }
"""
COLUMNS: Final = """
id::text AS id, name, email, phone, is_active AS "isActive", is_admin AS "isAdmin",
created_at AS "createdAt", updated_at AS "updatedAt"
"""
ME: Final = f"SELECT {COLUMNS} FROM customers WHERE id = $1"
PAGE: Final = f"SELECT {COLUMNS} FROM customers ORDER BY created_at, customers.id LIMIT $1"
KEPT: Final = 1000
"""The most documents whose parsing and validation is cached."""

Info = GraphQLResolveInfo[dict[str, Any]]
query = QueryType()
moment = ScalarType("DateTime", serializer=datetime.isoformat)
_parse: Final = lru_cache(KEPT)(parse)


@lru_cache(KEPT)
def _validate(schema: GraphQLSchema, document: DocumentNode) -> list[GraphQLError]:
    return validate(schema, document)


class Parser:
    """Parses a document once."""

    def __call__(self, _: object, data: Mapping[str, Any]) -> DocumentNode:
        """Return the parsed document, from the cache if it is there."""
        return _parse(data["query"])


class Validator:
    """Validates a document once."""

    def __call__(
        self, schema: GraphQLSchema, document_ast: DocumentNode, *_: object, **__: object
    ) -> list[GraphQLError]:
        """Return the errors of a document, from the cache if they are there."""
        return _validate(schema, document_ast)


def _caller(info: Info) -> str:
    """Verify the token, and return the caller's id."""
    try:
        claims = signing.verified(info.context["request"].headers.get("authorization"))
    except PyJWTError:
        message = "Sign in."
        raise GraphQLError(message, extensions={"code": "UNAUTHENTICATED"}) from None
    return claims["sub"]


@query.field("me")
async def _me(_: object, info: Info) -> Mapping[str, object]:
    customer_id = _caller(info)
    return dict(await info.context["request"].app.state.pool.fetchrow(ME, customer_id))


@query.field("customers")
async def _customers(_: object, info: Info, first: int) -> Mapping[str, object]:
    _caller(info)
    rows = await info.context["request"].app.state.pool.fetch(PAGE, first + 1)
    nodes = [dict(row) for row in rows[:first]]
    stands = f"{nodes[-1]['createdAt'].isoformat()} {nodes[-1]['id']}"
    cursor = urlsafe_b64encode(stands.encode()).decode()
    return {"nodes": nodes, "pageInfo": {"hasNextPage": len(rows) > first, "endCursor": cursor}}


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["BENCH_DATABASE_URL"]) as pool:
        app.state.pool = pool
        yield


async def _ready(_: Request) -> Response:
    return Response()


schema: Final = make_executable_schema(TYPES, query, moment)
graphql: Final = GraphQL(schema, query_parser=Parser(), query_validator=Validator())
app: Final = Starlette(routes=[Route("/readyz", _ready), Mount("/", graphql)], lifespan=_lifespan)
