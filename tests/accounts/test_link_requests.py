"""Requests of links by strangers: what an address costs says nothing of whether it is anybody's."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import update

from gql_app.accounts import password_reset, sign_in_links
from gql_app.accounts.audit import Origin
from gql_app.db.tables import CustomerRow
from gql_app.resources import Resources
from tests.people import add_customer
from tests.statements import listened

Rule = Callable[..., Awaitable[None]]
FROM = Origin("192.0.2.7")


@pytest.mark.parametrize("rule", [password_reset.request, sign_in_links.request])
async def test_request_is_the_same_statements_whosever_the_address_is(
    resources: Resources, rule: Rule
) -> None:
    await add_customer(resources.database, "Ada")
    closed = await add_customer(resources.database, "Bob")
    asked = []
    async with resources.database.transaction() as db:
        itself = update(CustomerRow).where(CustomerRow.id == closed.id)
        await db.execute(itself.values(is_active=False))
        for email in ("ada@example.com", "bob@example.com", "nobody@example.com"):
            seen: list[str] = []
            with listened(lambda sql, _, seen=seen: seen.append(sql)):  # type: ignore[misc]
                await rule(db, email, resources.throttle, origin=FROM)
            asked.append(seen)
    assert len(asked[0]) > 3
    assert asked == [asked[0]] * 3
