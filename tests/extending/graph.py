"""An application with features, executed without HTTP."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from gql_app.accounts.audit import Origin
from gql_app.app import build_engine
from gql_app.background import running
from gql_app.extending.context import Context
from gql_app.extending.feature import Feature
from gql_app.extending.merging import Parts, parts_of
from gql_app.lib.database import Database
from gql_app.lib.engine import Engine, GraphQLRequest
from gql_app.resources import Resources
from gql_app.settings import Settings
from gql_app.web.graphql import authenticate_header

DIALECTS = {"sqlite": sqlite.dialect, "postgresql": postgresql.dialect}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an operation."""

    data: dict[str, Any]
    errors: list[dict[str, Any]]
    context: Context

    def code(self, field: str) -> str:
        """Return the code of the only error of a root field, which must be null."""
        assert self.data[field] is None, self
        [error] = [each for each in self.errors if each["path"] == [field]]
        code: str = error["extensions"]["code"]
        return code


@dataclass(frozen=True, slots=True)
class Graph:
    """An application with features."""

    resources: Resources
    engine: Engine[Any]
    parts: Parts

    async def ask(self, query: str, token: str | None = None, **variables: object) -> Answer:
        """Return the answer to an operation."""
        header = [] if token is None else [f"Bearer {token}".encode()]
        context = Context(
            self.resources,
            presented=authenticate_header(header, self.resources),
            origin=Origin("192.0.2.1", "tests"),
            request_id="none",
        )
        result = await self.engine.execute(GraphQLRequest(query, None, variables), context)
        errors: list[Any] = [each.formatted for each in result.errors or ()]
        return Answer(result.data or {}, errors, context)

    async def data(
        self, query: str, token: str | None = None, **variables: object
    ) -> dict[str, Any]:
        """Return the data of an answer, which must have no errors."""
        answer = await self.ask(query, token, **variables)
        assert not answer.errors, answer.errors
        return answer.data


@lru_cache(2)
def _parts(*features: Feature) -> Parts:
    faults: list[str] = []
    parts = parts_of(features, faults)
    assert faults == []
    return parts


@asynccontextmanager
async def graph(settings: Settings, features: Sequence[Feature]) -> AsyncIterator[Graph]:
    """Run an application with features until the block ends."""
    parts = _parts(*features)
    engine = build_engine(settings, parts.additions)
    async with (
        Resources.open(settings, extensions=parts.extensions) as resources,
        running(resources),
    ):
        yield Graph(resources, engine, parts)


created: set[str] = set()
"""The names of the tables that the present test has created."""


async def create_tables(database: Database, base: type[DeclarativeBase]) -> None:
    """Create the tables of a feature, as its migrations would."""
    created.update(base.metadata.tables)
    async with database.transaction() as db:
        for table in base.metadata.sorted_tables:
            assert isinstance(table, Table)
            made: list[ExecutableDDLElement] = [CreateTable(table)]
            made += map(CreateIndex, table.indexes)
            for each in made:
                await db.execute(text(str(each.compile(dialect=DIALECTS[database.dialect]()))))
