"""Sign-in by link: a link in a letter, which opens a session once."""

from gql_app.accounts import audit, authentication, customers, letters, links
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.challenges import Challenge
from gql_app.accounts.links import LinkKind
from gql_app.accounts.proofs import LINK, Proof
from gql_app.accounts.sessions import Lifetimes, Opened
from gql_app.accounts.throttling import Throttle
from gql_app.lib.database import Transaction
from gql_app.lib.text import canonical_email
from gql_app.mail import email_verification


async def request(db: Transaction, email: str, throttle: Throttle, *, origin: Origin) -> None:
    """Post a link to whom an address belongs; it costs as much if it is nobody's.

    What strangers ask for never refuses the owner: requests count by client alone, after the letter
    that holds its account. Raises TooManyAttempts.
    """
    customer = await customers.by_email(db, email)
    customer_id = customer.id if customer and customer.is_active else None
    await letters.post_link(db, LinkKind.SIGN_IN, customer_id=customer_id)
    await throttle.count(db, *throttle.of_client("link", origin.ip_address))
    await audit.record(db, Action.SIGN_IN_LINK_REQUESTED, origin, customer_id=customer_id)


async def sign_in(
    db: Transaction,
    kind: LinkKind,
    token: str,
    throttle: Throttle,
    lifetimes: Lifetimes,
    *,
    origin: Origin,
) -> Opened | Challenge:
    """Spend a link's token: prove the address, lift what locked the owner out, open a session.

    Raises Rejected if the token is too old, or has been spent meanwhile, and TooManyAttempts.
    """
    customer = await links.spend(db, kind, token)
    account = canonical_email(customer.email)
    await throttle.clear(db, *throttle.locks(account, customer.id, origin.ip_address))
    await email_verification.prove(db, customer, origin=origin)
    return await authentication.sign_in_by_other_means(
        db, customer.id, throttle, lifetimes, Proof(LINK), origin=origin
    )
