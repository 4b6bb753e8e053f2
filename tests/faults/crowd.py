"""Customers of a database that servers run on, each signed in, and who asks for them."""

from gql_app.resources import Resources
from gql_app.settings import Settings
from tests.conftest import SECRET
from tests.people import Person, add_customer, sign_in

RENAME = "mutation ($name: String!) { updateMe(input: {name: $name}) { status } }"
ME = "{ me { id name } }"


async def gather_crowd(url: str, size: int) -> list[Person]:
    """Add customers to a migrated database, and sign each of them in."""
    async with Resources.open(Settings(database_url=url, secret_key=SECRET)) as resources:
        return [
            await sign_in(resources, await add_customer(resources.database, f"P{number} Plain"))
            for number in range(size)
        ]
