"""Password resets: a link in a letter, good for one new password."""

from typing import Final

from sqlalchemy import bindparam, delete, select

from gql_app.accounts import audit, customers, letters
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.records import CUSTOMER, CustomerRecord
from gql_app.accounts.throttling import Throttle
from gql_app.db.tables import CustomerRow, PasswordResetRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import Reader, Transaction
from gql_app.lib.text import canonical_email
from gql_app.security import tokens

SPENT_LINK: Final = Fault(
    UserErrorCode.TOKEN_INVALID, "This link is not good any more. Ask for a new one.", "token"
)
_OLD_LINK: Final = Fault(
    UserErrorCode.TOKEN_EXPIRED, "This link is too old. Ask for a new one.", "token"
)


async def request(db: Transaction, email: str, throttle: Throttle, *, origin: Origin) -> None:
    """Post a link to whom an address belongs; it costs as much if it is nobody's.

    What strangers ask for never refuses the owner: requests count by client alone. Raises
    TooManyAttempts.
    """
    await throttle.count(db, *throttle.of_client("reset", origin.ip_address))
    customer = await customers.by_email(db, email)
    customer_id = customer.id if customer and customer.is_active else None
    await letters.post_reset(db, customer_id=customer_id)
    await audit.record(db, Action.RESET_REQUESTED, origin, customer_id=customer_id)


async def resettable(db: Reader, token: str, *, hold: bool = False) -> CustomerRecord | None:
    """Return whose password a link's token may reset, if the link is good for them as they are.

    Their account is locked if asked to. Raises Rejected if the link is too old.
    """
    digest = tokens.digest(tokens.RESET, token)
    row = await db.fetch_one(_HELD_LINK if hold else _LINK, digest=digest)
    if row is None:
        return None
    *values, expires_at, issued_on = row
    customer = CustomerRecord._make(values)
    if issued_on != letters.issued_on(customer):
        return None
    if expires_at <= clock.now():
        raise Rejected(_OLD_LINK)
    return customer


async def reset(
    db: Transaction, token: str, throttle: Throttle, *, password_hash: str, origin: Origin
) -> None:
    """Spend a link's token: set the password, end every session, lift what locked the owner out.

    The account is locked first, and then what counts its failures. Raises Rejected if the token has
    been spent meanwhile.
    """
    digest = tokens.digest(tokens.RESET, token)
    customer = await resettable(db, token, hold=True)
    spent = await db.fetch_one(_SPEND, digest=digest) if customer else None
    if customer is None or spent is None or spent.issued_on != letters.issued_on(customer):
        raise Rejected(SPENT_LINK)
    account = canonical_email(customer.email)
    await throttle.clear(db, *throttle.locks(account, customer.id, origin.ip_address))
    by_owner = origin._replace(actor_id=customer.id)
    action = Action.PASSWORD_RESET
    await customers.set_password(db, customer, password_hash, action=action, origin=by_owner)


_WITH_DIGEST: Final = PasswordResetRow.digest == bindparam("digest")
_LINK: Final = (
    select(*CUSTOMER, PasswordResetRow.expires_at, PasswordResetRow.issued_on)
    .join(PasswordResetRow, PasswordResetRow.customer_id == CustomerRow.id)
    .where(_WITH_DIGEST, CustomerRow.is_active)
)
_HELD_LINK: Final = _LINK.with_for_update(of=CustomerRow)
_SPEND: Final = delete(PasswordResetRow).where(_WITH_DIGEST).returning(PasswordResetRow.issued_on)
