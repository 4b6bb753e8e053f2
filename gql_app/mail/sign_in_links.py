"""Sign-in by link: a single-use link in a letter opens a session."""

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
    """Post a link to the owner of an address; an unknown address costs as much time.

    Requests are limited per client only, so strangers can't lock the owner out; they are counted
    after the letter, as the account is locked first. Raises TooManyAttempts.
    """
    customer = await customers.by_email(db, email, hold=True)
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
    """Spend a link's token: prove the address, clear the counts of failures, open a session.

    Raises Rejected if the link has expired or was spent meanwhile, and TooManyAttempts.
    """
    customer = await links.spend(db, kind, token)
    account = canonical_email(customer.email)
    await throttle.clear(db, *throttle.locks(account, customer.id, origin.ip_address))
    await email_verification.prove(db, customer, origin=origin)
    return await authentication.sign_in_by_other_means(
        db, customer.id, throttle, lifetimes, Proof(LINK), origin=origin
    )
