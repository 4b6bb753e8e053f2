"""A load of requests during a fault, and a record of what was acknowledged."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from sqlalchemy import select

from gql_app.db.tables import CustomerRow, RefreshTokenRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.resources import Resources
from gql_app.security import tokens
from gql_app.settings import Settings
from tests.conftest import SECRET
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.processes import PATIENCE, Server
from tests.rows import column

OK = "OK"
UNAVAILABLE = "SERVICE_UNAVAILABLE"
LATE = "DEADLINE_EXCEEDED"
CREATE = """
mutation Create($name: String!, $email: String!, $password: String!) {
  createCustomer(input: {name: $name, email: $email, password: $password}) { status }
}
"""
REFRESH = "mutation($old: String!) { refresh(refreshToken: $old) { status refreshToken } }"
READ = "{ me { name } customers(first: 5) { totalCount nodes { name } } }"
WRITERS = 6
READERS = 4
Data = dict[str, dict[str, str]]
Step = Callable[[str], Awaitable[None]]


@dataclass
class Load:
    """The load on a server, and its outcomes."""

    client: httpx.AsyncClient
    admin: Person
    acknowledged: set[str] = field(default_factory=set)
    """Addresses of added customers, and digests of issued refresh tokens."""
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """The counts of outcomes of each client: OK, or error codes."""

    @property
    def codes(self) -> set[str]:
        """Return all outcomes of all clients."""
        return set().union(*self.outcomes.values())

    @property
    def readers(self) -> list[str]:
        """Return the names of the clients that only read."""
        return [name for name in self.outcomes if "read" in name]

    @property
    def writers(self) -> list[str]:
        """Return the names of the clients that write."""
        return [name for name in self.outcomes if "read" not in name]

    async def until(self, outcome: str, count: int) -> None:
        """Wait until this many clients have had an outcome."""
        async with asyncio.timeout(PATIENCE):
            while sum(outcome in counts for counts in self.outcomes.values()) < count:  # noqa: ASYNC110 — an answer sends no event
                await asyncio.sleep(0.02)

    async def everybody(self, outcome: str) -> None:
        """Wait until every client has an outcome once more."""
        await self.each(self.outcomes, outcome)

    async def each(self, names: Iterable[str], outcome: str) -> None:
        """Wait until each of some clients has an outcome once more."""
        before = {name: self.outcomes[name][outcome] for name in names}
        async with asyncio.timeout(PATIENCE):
            while any(self.outcomes[name][outcome] <= count for name, count in before.items()):  # noqa: ASYNC110 — an answer sends no event
                await asyncio.sleep(0.02)

    async def ask(self, who: str, query: str, token: str, **variables: object) -> Data | None:
        """Send an operation, record its outcome, and return the data, None if there is an error."""
        response = await self.client.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {token}"},
        )
        body = response.json()
        codes = {error["extensions"]["code"] for error in body.get("errors", ())}
        self.outcomes[who][" ".join(sorted(codes)) or OK] += 1
        unavailable = UNAVAILABLE in codes
        undone = LATE in codes and not any("mayBeDone" in e["extensions"] for e in body["errors"])
        assert response.status_code == (503 if unavailable else 504 if undone else 200), body
        assert ("retry-after" in response.headers) == unavailable
        data: Data | None = None if codes else body["data"]
        return data

    async def create(self, who: str) -> None:
        """Add a customer."""
        email = f"{new_id()}@example.com"
        data = await self.ask(
            who, CREATE, self.admin.token, name="New", email=email, password=PASSWORD
        )
        if data:
            assert data["createCustomer"]["status"] == "SUCCESS"
            self.acknowledged.add(email)

    async def read(self, who: str) -> None:
        """Query `me` and a page of customers."""
        data = await self.ask(who, READ, self.admin.token)
        assert data is None or data["me"] == {"name": self.admin.name}

    def refresher(self, person: Person) -> Step:
        """Return a step that refreshes a session; a token without an answer is sent again."""
        token = person.refresh_token

        async def refresh(who: str) -> None:
            nonlocal token
            data = await self.ask(who, REFRESH, person.token, old=token)
            if data:
                assert data["refresh"]["status"] == "SUCCESS"
                token = data["refresh"]["refreshToken"]
                self.acknowledged.add(tokens.digest(tokens.REFRESH, token) or "")

        return refresh


@asynccontextmanager
async def load_on(server: Server, people: list[Person]) -> AsyncIterator[Load]:
    """Run the load until the block ends; it begins once each client was served."""
    admin, *others = people
    over = asyncio.Event()

    async def go_on(step: Step, who: str) -> None:
        while not over.is_set():
            await step(who)

    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=PATIENCE) as client:
        load = Load(client, admin)
        steps = [load.create, *[load.read] * READERS, *map(load.refresher, others)]
        tasks = [
            asyncio.create_task(go_on(step, f"{number} {step.__name__}"))
            for number, step in enumerate(steps)
        ]
        try:
            async with asyncio.timeout(PATIENCE):
                while len(load.outcomes) < len(tasks):  # noqa: ASYNC110 — an answer sends no event
                    await asyncio.sleep(0.02)
            await load.everybody(OK)
            yield load
        finally:
            over.set()
            await asyncio.gather(*tasks)


async def stored(url: str) -> set[str]:
    """Return every address and every refresh token's digest in the database."""
    database = Database(url)
    try:
        found = [
            *await column(database, select(CustomerRow.email)),
            *await column(database, select(RefreshTokenRow.digest)),
        ]
    finally:
        await database.close()
    return set(found)


async def people_of(url: str) -> list[Person]:
    """Add and sign in an admin and some customers."""
    settings = Settings(database_url=url, secret_key=SECRET)
    async with Resources.open(settings) as resources:
        return [
            await sign_in(
                resources,
                await add_customer(
                    resources.database,
                    f"Person {number}",
                    f"{new_id()}@example.com",
                    is_admin=not number,
                ),
            )
            for number in range(WRITERS)
        ]
