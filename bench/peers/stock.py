"""Stock Strawberry: its own view, a permission class, PyJWT, SQLAlchemy's ORM on asyncpg."""

import os
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID, uuid4

import strawberry
from jwt.exceptions import PyJWTError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from strawberry.asgi import GraphQL
from strawberry.permission import BasePermission

from bench.peers import signing, tables
from bench.peers.passwords import verify

URL: Final = os.environ["BENCH_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
sessions: Final = async_sessionmaker(create_async_engine(URL), expire_on_commit=False)

Info = strawberry.Info[dict[str, Any], None]


class IsAuthenticated(BasePermission):
    """The caller has a valid token."""

    message = "Sign in."
    error_extensions = {"code": "UNAUTHENTICATED"}  # noqa: RUF012 — Strawberry has it so

    def has_permission(self, source: object, info: Info, **_: object) -> bool:  # noqa: ARG002 — as Strawberry calls it
        """Verify the token."""
        try:
            claims = signing.verified(info.context["request"].headers.get("authorization"))
        except PyJWTError:
            return False
        info.context["customer_id"] = UUID(claims["sub"])
        return True


@strawberry.type
class Customer:
    """A person with an account."""

    id: strawberry.ID
    name: str
    email: str | None
    phone: str | None
    is_active: bool | None
    is_admin: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: tables.Customer) -> Self:
        """Return the object of a row."""
        return cls(
            id=strawberry.ID(str(row.id)),
            name=row.name,
            email=row.email,
            phone=row.phone,
            is_active=row.is_active,
            is_admin=row.is_admin,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


@strawberry.type
class PageInfo:
    """The place of a page in the list."""

    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Customers:
    """One page."""

    nodes: list[Customer]
    page_info: PageInfo


@strawberry.type
class Login:
    """The result of a sign-in."""

    status: str
    token: str | None


@strawberry.type
class Query:
    """The queries."""

    @strawberry.field(permission_classes=[IsAuthenticated])
    async def me(self, info: Info) -> Customer | None:
        """Return the caller."""
        async with sessions() as db:
            row = await db.get(tables.Customer, info.context["customer_id"])
        return Customer.of(row) if row else None

    @strawberry.field(permission_classes=[IsAuthenticated])
    async def customers(self, first: int) -> Customers | None:
        """Return a page."""
        order = (tables.Customer.created_at, tables.Customer.id)
        async with sessions() as db:
            found = await db.scalars(select(tables.Customer).order_by(*order).limit(first + 1))
            rows = found.all()
        nodes = [Customer.of(row) for row in rows[:first]]
        stands = f"{nodes[-1].created_at.isoformat()} {nodes[-1].id}"
        cursor = urlsafe_b64encode(stands.encode()).decode()
        page_info = PageInfo(has_next_page=len(rows) > first, end_cursor=cursor)
        return Customers(nodes=nodes, page_info=page_info)


@strawberry.type
class Mutation:
    """The mutations."""

    @strawberry.mutation
    async def login(self, email: str, password: str) -> Login:
        """Check the password, and open a session."""
        async with sessions.begin() as db:
            found = select(tables.Customer).where(tables.Customer.email_key == email.lower())
            customer = (await db.scalars(found)).one()
            if not await verify(customer.password_hash, password):
                return Login(status="ERROR", token=None)
            now = datetime.now(UTC)
            session = tables.Session(
                id=uuid4(),
                customer_id=customer.id,
                created_at=now,
                last_used_at=now,
                expires_at=now + timedelta(days=30),
            )
            db.add(session)
        return Login(status="SUCCESS", token=signing.sign(str(customer.id), str(session.id)))


async def _ready(_: Request) -> Response:
    return Response()


schema: Final = strawberry.Schema(Query, Mutation)
app: Final = Starlette(routes=[Route("/readyz", _ready), Mount("/", GraphQL(schema))])
