"""A client of the API under test, in the same process."""

import logging
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Self, TypeVar

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gql_app import app as composition
from gql_app.app import build_engine, create_app
from gql_app.extending.feature import Feature
from gql_app.extending.merging import Merged, merge
from gql_app.lib.engine import Engine
from gql_app.resources import Resources
from gql_app.schema.context import Context
from gql_app.schema.root import NOTHING, Additions
from gql_app.settings import Settings
from gql_app.web.pages import account

T = TypeVar("T")

GRAPHQL = "application/graphql-response+json"
KEPT = 50
"""The most results in a cache, one for each settings."""
# The client's log of its requests is noise.
logging.getLogger("httpx").setLevel(logging.WARNING)
# Without it, the client would look for this package in every folder at each request.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one operation."""

    status: int
    headers: httpx.Headers
    body: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """The data of an answer, which must have no errors."""
        assert "errors" not in self.body, self.body["errors"]
        data: dict[str, Any] = self.body["data"]
        return data

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The errors of an answer, empty if there are none."""
        errors: list[dict[str, Any]] = self.body.get("errors", [])
        return errors

    def error(self, field: str | None = None) -> dict[str, Any]:
        """Return the only error of a root field, or of the whole request."""
        path = [field] if field else None
        found = [error for error in self.errors if error.get("path") == path]
        assert len(found) == 1, self.body
        return found[0]

    def reason(self, field: str) -> str:
        """Return the reason why a root field was refused; the field must be null."""
        assert self.body["data"][field] is None
        reason: str = self.error(field)["extensions"]["reason"]
        return reason

    def code(self, field: str | None = None) -> str:
        """Return an error's code."""
        code: str = self.error(field)["extensions"]["code"]
        return code


class Api:
    """A client of the API, with its resources."""

    def __init__(self, app: ASGIApp, client: httpx.AsyncClient, resources: Resources) -> None:
        self.app = app
        self.client = client
        self.resources = resources
        self.database = resources.database

    async def run(
        self,
        query: str,
        *,
        token: str | None = None,
        accept: str = "application/json",
        headers: Mapping[str, str] | None = None,
        **variables: object,
    ) -> Answer:
        """Run one operation."""
        sent = {"Accept": accept, **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        response = await self.client.post(
            "/graphql", json={"query": query, "variables": variables}, headers=sent
        )
        return Answer(response.status_code, response.headers, response.json())

    @asynccontextmanager
    async def elsewhere(self, address: str) -> AsyncIterator[Self]:
        """Yield a client of the same API with another IP address."""
        async with _client(self.app, address) as client:
            yield type(self)(self.app, client, self.resources)


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    features: Sequence[Feature] = (),
    sign_ins: Sequence[Mapping[str, str]] = (),
) -> AsyncIterator[Api]:
    """Run the application until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composition, "build_engine", engine_of)
        patch.setattr(composition, "merge", lambda features: _merged(*features))
        patch.setattr(account, "routes", _pages)
        app = create_app(settings, features=features, sign_ins=sign_ins)
    async with app.router.lifespan_context(app) as state:
        assert state is not None

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = dict(state)
            await app(scope, receive, send)

        async with _client(with_state, "192.0.2.1") as client:
            yield Api(with_state, client, state["resources"])


class Kept(Generic[T]):
    """A function of the settings, with a cache of its results for all databases."""

    def __init__(self, build: Callable[[Settings], T]) -> None:
        self._build = build
        self._kept: list[tuple[dict[str, object], T]] = []

    def __call__(self, settings: Settings) -> T:
        """Return the result for the settings."""
        given = settings.model_fields_set  # which some properties read
        chosen = {**vars(settings), "database_url": "", "model_fields_set": given}
        for known, result in self._kept:
            if known == chosen:
                return result
        del self._kept[KEPT - 1 :]
        self._kept.insert(0, (chosen, self._build(settings)))
        return self._kept[0][1]


_engines: Kept[Engine[Context]] = Kept(build_engine)
_pages = Kept(account.routes)


def engine_of(settings: Settings, additions: Additions = NOTHING) -> Engine[Context]:
    """Return the engine of the settings, from a cache unless features add to the schema.

    So repeated operations are parsed, validated and planned once.
    """
    return (
        build_engine(settings, additions) if any(vars(additions).values()) else _engines(settings)
    )


@lru_cache(4)
def _merged(*features: Feature) -> Merged:
    return merge(features)


def _client(app: ASGIApp, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://test")
