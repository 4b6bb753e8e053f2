"""Resets: a link in a letter, good for one new password."""

from datetime import datetime
from typing import Final

from sqlalchemy import Text, bindparam, delete, select

from gql_app import clock
from gql_app.accounts import audit, customers, letters, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.identity import canonical_email
from gql_app.accounts.records import CustomerRecord, columns
from gql_app.accounts.throttling import Throttle
from gql_app.db.engine import Writer
from gql_app.db.questions import Question, Reader
from gql_app.db.tables import CustomerRow, PasswordResetRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.security import refresh_secrets

SPENT_LINK: Final = Fault(
    UserErrorCode.TOKEN_INVALID, "This link is not good any more. Ask for a new one.", "token"
)
_OLD_LINK: Final = Fault(
    UserErrorCode.TOKEN_EXPIRED, "This link is too old. Ask for a new one.", "token"
)


async def request(db: Writer, email: str, throttle: Throttle, *, origin: Origin) -> None:
    """Have a link sent to whom an address belongs; it costs as much if it is nobody's.

    What strangers ask for never refuses the owner: requests count by client alone. Raises
    TooManyAttempts.
    """
    await throttle.count(db, *throttle.of_client("reset", origin.ip_address))
    customer = await customers.by_email(db, email)
    customer_id = customer.id if customer and customer.is_active else None
    await letters.post_reset(db, customer_id=customer_id)
    audit.record(db, Action.RESET_REQUESTED, origin, customer_id=customer_id)


def may_be_token(token: str) -> bool:
    """Tell whether a text has the form of a link's token."""
    return refresh_secrets.digest(refresh_secrets.RESET, token) is not None


async def resettable(db: Reader, token: str) -> CustomerRecord | None:
    """Find whose password a link's token may reset, if the link is good for them as they are.

    Raises Rejected if it is too old.
    """
    found = await db.ask(_LINK, digest=refresh_secrets.digest(refresh_secrets.RESET, token))
    if not found:
        return None
    [(customer, expires_at, issued_on)] = found
    if issued_on != letters.issued_on(customer):
        return None
    if expires_at <= clock.now():
        raise Rejected(_OLD_LINK)
    return customer


async def reset(
    db: Writer, token: str, throttle: Throttle, *, password_hash: str, origin: Origin
) -> None:
    """Spend a link's token: set the password, end every session, lift what locked the owner out.

    Raises Rejected if the token has been spent meanwhile.
    """
    customer = await resettable(db, token)
    if customer is None:
        raise Rejected(SPENT_LINK)
    account = canonical_email(customer.email)
    await throttle.clear(db, *throttle.locks(account, customer.id, origin.ip_address))
    row = await db.get(CustomerRow, customer.id, with_for_update=True)
    spend = (
        delete(PasswordResetRow)
        .where(PasswordResetRow.digest == refresh_secrets.digest(refresh_secrets.RESET, token))
        .returning(PasswordResetRow.issued_on)
    )
    if row is None or (await db.scalars(spend)).one_or_none() != letters.issued_on(row):
        raise Rejected(SPENT_LINK)
    by_owner = origin._replace(actor_id=row.id)
    action = Action.PASSWORD_RESET
    await customers.set_password(db, row, password_hash, action=action, origin=by_owner)
    await sessions.end_all(db, row.id)


_LINK: Final[Question[tuple[CustomerRecord, datetime, str | None]]] = Question(
    select(
        *columns(CustomerRow, CustomerRecord._fields),
        PasswordResetRow.expires_at,
        PasswordResetRow.issued_on,
    )
    .join(PasswordResetRow, PasswordResetRow.customer_id == CustomerRow.id)
    .where(PasswordResetRow.digest == bindparam("digest", type_=Text()), CustomerRow.is_active),
    lambda row: (CustomerRecord._make(row[:-2]), row[-2], row[-1]),
)
