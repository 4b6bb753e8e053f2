"""Strangers who ask for links, or try a password: the statements don't tell whose an address is."""

import pytest
from sqlalchemy import update

from gql_app.accounts import authentication, sessions
from gql_app.accounts.audit import Origin
from gql_app.accounts.mail.links import LinkKind
from gql_app.db.tables import CustomerRow
from gql_app.mail import access_links
from gql_app.resources import Resources
from gql_app.security.passwords import NO_PASSWORD
from tests.people import add_customer
from tests.statements import listened

FROM = Origin("192.0.2.7")


@pytest.mark.parametrize("kind", [LinkKind.PASSWORD_RESET, LinkKind.SIGN_IN])
async def test_request_is_the_same_statements_whosever_the_address_is(
    resources: Resources, kind: LinkKind
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
                await access_links.request(db, kind, email, resources.throttle, origin=FROM)
            asked.append(seen)
    assert len(asked[0]) > 3
    assert asked == [asked[0]] * 3


@pytest.mark.parametrize("origin", [Origin("192.0.2.7"), Origin("2001:db8::7")])
async def test_login_is_the_same_statements_whosever_the_address_is_and_wherever_they_sign_in(
    resources: Resources, origin: Origin
) -> None:
    database, throttle = resources.database, resources.throttle
    await add_customer(database, "Ada")
    invited = await add_customer(database, "Bob")
    known = await add_customer(database, "Carl")
    async with database.transaction() as db:
        itself = update(CustomerRow).where(CustomerRow.id == invited.id)
        await db.execute(itself.values(password_hash=NO_PASSWORD))
        lifetimes = resources.lifetimes
        await sessions.open_session(db, known, origin, lifetimes, methods="pwd")
    asked: list[list[str]] = []
    for name in ("ada", "bob", "carl", "nobody"):
        email, seen = f"{name}@example.com", list[str]()
        with listened(lambda sql, _, seen=seen: seen.append(sql)):  # type: ignore[misc]
            attempt = await authentication.check(
                database,
                resources.passwords,
                throttle,
                email=email,
                password="wrong",
                origin=origin,
            )
            async with database.transaction() as db:
                opened = await authentication.sign_in(
                    db, attempt, throttle, lifetimes, origin=origin
                )
        assert opened is authentication.WRONG
        assert attempt.limits.known == (name == "carl")
        asked.append(seen)
    assert len(asked[0]) > 3
    assert asked == [asked[0]] * 4
