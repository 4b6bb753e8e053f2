"""Links: their tokens, each bound to the state of its customer."""

from typing import Any, Final

from sqlalchemy import Select, bindparam, select

from gql_app.accounts.mail import letters
from gql_app.accounts.mail.links import (
    ADDRESS_COLUMNS,
    BOUND_COLUMNS,
    OLD,
    SPENT,
    TERMS,
    LinkKind,
)
from gql_app.accounts.permissions import ADMIN
from gql_app.accounts.records import CUSTOMER, CustomerRecord
from gql_app.db.tables import CustomerRow, LinkRow, PasswordResetRow
from gql_app.errors import Rejected
from gql_app.lib import clock
from gql_app.lib.database import Reader, Transaction, upsert
from gql_app.security import tokens


def issued_on(customer: CustomerRecord, kind: LinkKind = LinkKind.PASSWORD_RESET) -> str:
    """Return the digest of the state of a customer that a link of a kind is bound to.

    A link is void once the digest differs, whatever changed the customer. A sign-in that
    renews an outdated hash changes it as well: it has proven the password.
    """
    if kind is LinkKind.VERIFY_EMAIL:
        state = [getattr(customer, column) for column in ADDRESS_COLUMNS]
    else:
        state = [getattr(customer, column) for column in BOUND_COLUMNS]
        others = customer.roles.removeprefix(ADMIN).lstrip()
        if others:  # without them it is the digest of the version before, which knows no roles
            state.append(others)
    return tokens.state_digest(state)


async def issue(db: Transaction, kind: LinkKind, customer: CustomerRecord, token: str) -> None:
    """Make a token valid from now on, and void any earlier one of its kind."""
    row = {
        "customer_id": customer.id,
        "digest": tokens.digest(TERMS[kind].prefix, token),
        "expires_at": clock.now() + TERMS[kind].lifetime,
        "issued_on": issued_on(customer, kind),
    }
    if kind is LinkKind.PASSWORD_RESET:
        await db.execute(_ISSUE_RESET, **row)
    else:
        await db.execute(_ISSUE, **row, kind=kind.value)


async def owner(
    db: Reader, kind: LinkKind, token: str, *, hold: bool = False
) -> CustomerRecord | None:
    """Return the customer of a link by its token; None if there is no such link, or it is void.

    With `hold` their account is locked. Raises Rejected if the link is too old.
    """
    digest = tokens.digest(TERMS[kind].prefix, token)
    row = await db.fetch_one(_LINK[kind, hold], digest=digest)
    if row is None:
        return None
    *values, expires_at, issued = row
    customer = CustomerRecord._make(values)
    if issued != issued_on(customer, kind):
        return None
    if expires_at <= clock.now():
        raise Rejected(OLD)
    return customer


async def spend(db: Transaction, kind: LinkKind, token: str) -> CustomerRecord:
    """Return the customer of a link by its token, whose account is locked, and void the link.

    So is its letter: if it is still queued, a retry would make the token valid again. Raises
    Rejected if the link is too old, or has been spent or voided meanwhile.
    """
    held = await owner(db, kind, token, hold=True)
    # It is read again: after a wait for the lock, what was read with it is outdated.
    customer = await owner(db, kind, token) if held else None
    if customer is None:
        raise Rejected(SPENT)
    await letters.void_links(db, customer.id, [kind])
    return customer


def _link(kind: LinkKind, *, hold: bool) -> Select[Any]:
    """Return the statement that finds a link and its customer by the token's digest."""
    table = PasswordResetRow if kind is LinkKind.PASSWORD_RESET else LinkRow
    found = (
        select(*CUSTOMER, table.expires_at, table.issued_on)
        .join(table, table.customer_id == CustomerRow.id)
        .where(table.digest == bindparam("digest"), CustomerRow.is_active)
    )
    return found.with_for_update(of=CustomerRow) if hold else found


_LINK: Final = {(kind, hold): _link(kind, hold=hold) for kind in LinkKind for hold in (False, True)}
_ISSUE: Final = upsert(LinkRow)
_ISSUE_RESET: Final = upsert(PasswordResetRow)
