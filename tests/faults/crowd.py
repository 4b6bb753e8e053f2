"""Signed-in customers in the database of servers, and their requests."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select

from gql_app.accounts.audit import Action
from gql_app.db.tables import AuditRow, CustomerRow
from gql_app.lib.database import Database
from gql_app.resources import Resources
from gql_app.settings import Settings
from tests.conftest import SECRET
from tests.peers import post
from tests.people import Person, add_customer, sign_in
from tests.processes import Server

RENAME = "mutation ($name: String!) { updateMe(input: {name: $name}) { status } }"
ME = "{ me { id name } }"


async def gather_crowd(url: str, size: int) -> list[Person]:
    """Add customers to a migrated database, and sign each in."""
    async with Resources.open(Settings(database_url=url, secret_key=SECRET)) as resources:
        return [
            await sign_in(resources, await add_customer(resources.database, f"P{number} Plain"))
            for number in range(size)
        ]


def asked(query: str, person: Person | None = None, **variables: str) -> bytes:
    """Return the body of a request."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    return post(body, *([b"Authorization: Bearer " + person.token.encode()] if person else []))


def renamed(times: int) -> str:
    """Return the name of a customer after so many renamings."""
    return f"Name {times}"


@dataclass(slots=True)
class Tally:
    """The number of acknowledged writes."""

    written: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    wanted: int = 0

    def count(self) -> None:
        """Count one write."""
        self.written += 1
        if self.written >= self.wanted:
            self.enough.set()


async def rename(server: Server, person: Person, tally: Tally, *, times: int) -> int:
    """Rename a customer so often, or until the server is gone; return the acknowledged times."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    count = 0
    try:
        while count < times:
            writer.write(asked(RENAME, person, name=renamed(count + 1)))
            head = await reader.readuntil(b"\r\n\r\n")
            (length,) = re.findall(rb"content-length: (\d+)", head)
            answer = json.loads(await reader.readexactly(int(length)))
            assert answer == {"data": {"updateMe": {"status": "SUCCESS"}}}, (head, answer)
            count += 1
            tally.count()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()
    return count


async def names_and_deeds(database: Database, people: Sequence[Person]) -> list[tuple[str, int]]:
    """Return each customer's name, and the number of their changes in the audit log."""
    deeds = (
        select(AuditRow.customer_id, func.count())
        .where(AuditRow.action == Action.CUSTOMER_CHANGED)
        .group_by(AuditRow.customer_id)
    )
    counts = {row[0]: row[1] for row in await database.fetch_all(deeds)}
    names = {row.id: row.name for row in await database.fetch_all(select(CustomerRow))}
    return [(names[person.id], counts.get(person.id, 0)) for person in people]
