"""Password reset: a link in a letter, by which one new password can be set."""

from gql_app.accounts import audit, customers, letters, links
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.links import LinkKind
from gql_app.accounts.throttling import Throttle
from gql_app.lib.database import Transaction
from gql_app.lib.text import canonical_email
from gql_app.mail import email_verification


async def request(db: Transaction, email: str, throttle: Throttle, *, origin: Origin) -> None:
    """Post a link to the owner of an address; an unknown address costs as much time.

    Requests are limited per client only, so strangers can't lock the owner out; they are counted
    after the letter, as the account is locked first. Raises TooManyAttempts.
    """
    customer = await customers.by_email(db, email, hold=True)
    customer_id = customer.id if customer and customer.is_active else None
    await letters.post_link(db, LinkKind.PASSWORD_RESET, customer_id=customer_id)
    await throttle.count(db, *throttle.of_client("reset", origin.ip_address))
    await audit.record(db, Action.RESET_REQUESTED, origin, customer_id=customer_id)


async def reset(
    db: Transaction, token: str, throttle: Throttle, *, password_hash: str, origin: Origin
) -> None:
    """Spend a link's token: set the password, end every session, and clear the counts of failures.

    The counts of wrong codes of second factors are cleared as well.

    The use of the link proves the address. The account is locked first, and then its counts of
    failures. Raises Rejected if the link has expired or was spent meanwhile.
    """
    customer = await links.spend(db, LinkKind.PASSWORD_RESET, token)
    account = canonical_email(customer.email)
    locks = throttle.locks(account, customer.id, origin.ip_address)
    await throttle.clear(db, *locks, throttle.of_account("code", customer.id))
    customer = await email_verification.prove(db, customer, origin=origin)
    by_owner = origin.by(customer.id)
    action = Action.PASSWORD_RESET
    await customers.set_password(db, customer, password_hash, action=action, origin=by_owner)
