"""Comparison of two applications on one database, with and without the compiled executor."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sqlalchemy import update
from starlette.types import Message

from gql_app.app import build_engine
from gql_app.db.tables import CustomerRow
from gql_app.lib import clock
from gql_app.lib.engine import GraphQLRequest
from gql_app.lib.text import search_key
from gql_app.resources import Resources
from gql_app.schema.context import Context
from gql_app.settings import Settings
from tests.api import GRAPHQL, Api, running
from tests.conftest import SECRET
from tests.people import NOWHERE, Kind, add_customer, expired_token, sign_in, sign_out
from tests.schema.composing import Operation

NOW: Final = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
MOMENTS: Final = (
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1969, 7, 20, 20, 17, 40, 500_000, tzinfo=UTC),
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 120_000, tzinfo=UTC),
)
"""The customers' times of creation, which are prone to formatting errors."""
NAMES: Final = ("Ada “Q” \\ \u2028", "Åsa\u0301 Øre", "\U0001f980 <b>", "n'ull; --", "a", "A")
WIDE: Final = {"max_aliases": 100, "max_cost": 10**6}
"""Limits that generated operations stay within."""
MEDIA_TYPES: Final = ("application/json", GRAPHQL)

BOTH_WAYS: Final = pytest.mark.parametrize(
    ("database_url", "settings"),
    [("sqlite", True), ("postgresql", True), ("sqlite", False)],
    indirect=True,
    ids=["sqlite", "postgresql", "executed"],
)
"""Runs a test on both databases, and without the compiled executor on one of them."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to the byte, except for the request's id."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> "Reply":
        """Return an answer without its request's id, which differs."""
        request_id = headers["x-request-id"].encode()
        kept = {name: value for name, value in headers.items() if name != "x-request-id"}
        return cls(status, kept, body.replace(request_id, b"ID"))

    def sorted(self) -> "Reply":
        """Return the answer with its errors sorted by path.

        If there is no data, as `token` can't be null, only its error is kept: whether those of
        its siblings are reported depends on which comes first (GraphQL, section 6.4.4).
        """
        content = json.loads(self.body)
        if "errors" not in content:
            return self
        errors = sorted(content["errors"], key=lambda error: str(error.get("path")))
        if content.get("data") is None:
            errors = [each for each in errors if each.get("path") == ["token"]] or errors
        body = json.dumps({**content, "errors": errors}).encode()
        return replace(self, headers={**self.headers, "content-length": str(len(body))}, body=body)

    @property
    def has_data(self) -> bool:
        """Whether an object was found."""
        data = json.loads(self.body).get("data") or {}
        return any(isinstance(value, dict) for value in data.values())


@dataclass(frozen=True, slots=True)
class Pair:
    """The two applications, and their callers' tokens."""

    compiled: Api
    executed: Api
    tokens: Mapping[Kind, str | None]
    known: Mapping[str, str]
    """Ids and cursors of the database, for generated documents."""

    async def agree(self, operation: Operation, *, in_order: bool = True) -> Mapping[Kind, Reply]:
        """Send both the same, as every kind of caller, and assert that their answers are equal.

        Without `in_order`, several errors may be in any order, as for sibling fields that wait for
        the server on separate connections.
        """
        body = operation.body(self.known)
        replies = {}
        for number, caller in enumerate(Kind):
            accept = MEDIA_TYPES[number % 2]
            theirs = await self._ask(self.executed, body, caller, accept)
            replies[caller] = await self._ask(self.compiled, body, caller, accept)
            if not in_order:
                theirs, replies[caller] = theirs.sorted(), replies[caller].sorted()
            assert replies[caller] == theirs, (body, caller)
        return replies

    async def _ask(self, api: Api, body: bytes, caller: Kind, accept: str) -> Reply:
        token = self.tokens[caller]
        headers = {"accept": accept, "content-type": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        return await sent(api, headers, body)


class Paths:
    """A check of which executor an operation takes."""

    def __init__(self, resources: Resources, *, compiled: bool = True) -> None:
        self._resources = resources
        settings = Settings.model_construct()
        self._engine = build_engine(settings.model_copy(update={**WIDE, "compiled": compiled}))

    async def taken(self, request: GraphQLRequest) -> str:
        """Execute an operation without a caller; return whether it was compiled, or invalid."""
        presented, documents = None, self._engine.validator.documents
        context = Context(self._resources, presented=presented, origin=NOWHERE, request_id="none")
        await self._engine.execute(request, context)
        document = documents.get(request.query)
        if document is None:
            return "refused"
        return "compiled" if any(document.plans.values()) else "executed"


class Both:
    """The two applications, called from outside of their event loop."""

    def __init__(self, portal: BlockingPortal, applications: Pair) -> None:
        self._portal = portal
        self._applications = applications
        self._paths = Paths(applications.compiled.resources)

    def agree(self, operation: Operation) -> str:
        """Assert that both answer an operation the same; return which executor it took."""
        replies = self._portal.call(self._applications.agree, operation)
        found = any(reply.has_data for reply in replies.values())
        request = GraphQLRequest(operation.query, operation.name or None, operation.variables)
        return (
            f"{self._portal.call(self._paths.taken, request)} {'with' if found else 'without'} data"
        )


@contextmanager
def both_running(url: str) -> Iterator[Both]:
    """Run the pair in a separate thread, for tests that can't be asynchronous."""
    settings = Settings(database_url=url, secret_key=SECRET)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(pair(settings)) as applications,
    ):
        yield Both(portal, applications)


async def sent(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
    """Send a request directly by ASGI, as a client would take longer than the answer."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 1234),
        "scheme": "http",
        "http_version": "1.1",
    }
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        messages.append(message)

    await api.app(scope, receive, send)
    start, *parts = messages
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply.of(start["status"], told, b"".join(part.get("body", b"") for part in parts))


@asynccontextmanager
async def pair(settings: Settings) -> AsyncIterator[Pair]:
    """Run both applications on a database with some people, at a fixed time."""
    ours = settings.model_copy(update={"log_level": "CRITICAL", **WIDE})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: NOW)
        async with (
            running(ours) as compiled,
            running(ours.model_copy(update={"compiled": False})) as executed,
        ):
            tokens, known = await _fill(compiled)
            yield Pair(compiled, executed, tokens, known)


async def _fill(api: Api) -> tuple[dict[Kind, str | None], dict[str, str]]:
    """Add people with unusual times and names; return the tokens, and the ids and cursors."""
    database, resources = api.database, api.resources
    names = {"Ada Plain": False, "Bob Other": False, "Grace Admin": True, "Rex Revoked": False}
    rows = {
        name: await add_customer(database, name, is_admin=is_admin)
        for name, is_admin in names.items()
    }
    for number, (name, moment) in enumerate(zip(NAMES, MOMENTS, strict=True)):
        row = await add_customer(database, "Odd", f"{number}@example.com", phone="+1 555 0100")
        async with database.transaction() as db:
            moments = {"created_at": moment, "updated_at": moment}
            changed = {
                "name": name,
                "name_key": search_key(name),
                "is_active": number != 1,
            } | moments
            await db.execute(
                update(CustomerRow).where(CustomerRow.id == row.id).values(changed | moments)
            )
    people = {name: await sign_in(resources, row) for name, row in rows.items()}
    ada, admin = people["Ada Plain"], people["Grace Admin"]
    await sign_out(resources, people["Rex Revoked"])
    tokens = {
        Kind.ANONYMOUS: None,
        Kind.PLAIN: ada.token,
        Kind.OTHER: people["Bob Other"].token,
        Kind.ADMIN: admin.token,
        Kind.EXPIRED: expired_token(resources, ada),
        Kind.REVOKED: people["Rex Revoked"].token,
    }
    cursors = await api.run(
        """{
          all: customers(first: 3) { pageInfo { endCursor } }
          named: customers(first: 3, orderBy: {field: NAME}) { pageInfo { endCursor } }
          audit: auditEvents(first: 3) { pageInfo { endCursor } }
        }""",
        token=admin.token,
    )
    ends = {name: page["pageInfo"]["endCursor"] for name, page in cursors.data.items()}
    return tokens, {
        "@PLAIN": str(ada.id),
        "@ADMIN": str(admin.id),
        "@OTHER": str(people["Bob Other"].id),
        "@CUSTOMERS": ends["all"],
        "@BY_NAME": ends["named"],
        "@AUDIT": ends["audit"],
    }
