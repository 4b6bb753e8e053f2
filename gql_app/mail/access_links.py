"""Links that give access to an account: one resets its password, the others open a session."""

from typing import Final

from gql_app.accounts import audit, authentication, customers
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.factors.challenges import Challenge
from gql_app.accounts.mail import letters
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.proofs import LINK, Proof
from gql_app.accounts.sessions import Lifetimes, Opened
from gql_app.accounts.throttling import Throttle
from gql_app.lib.database import Transaction
from gql_app.mail import email_verification, mailboxes

_REQUESTS: Final = {
    LinkKind.PASSWORD_RESET: ("reset", Action.RESET_REQUESTED),
    LinkKind.SIGN_IN: ("link", Action.SIGN_IN_LINK_REQUESTED),
}
"""The limit per client for requests of a kind of link, and their action in the audit."""


async def request(
    db: Transaction, kind: LinkKind, email: str, throttle: Throttle, *, origin: Origin
) -> None:
    """Post a link to the owner of an address; an unknown address costs as much time.

    Requests are limited per client only, so strangers can't lock the owner out; they are counted
    after the letter, as the account is locked first. Raises TooManyAttempts.
    """
    limit, action = _REQUESTS[kind]
    customer = await mailboxes.by_email(db, email, hold=True)
    customer_id = customer.id if customer and customer.is_active else None
    await letters.post_link(db, kind, customer_id=customer_id)
    await throttle.count(db, *throttle.of_client(limit, origin.ip_address))
    await audit.record(db, action, origin, customer_id=customer_id)


async def reset(
    db: Transaction, token: str, throttle: Throttle, *, password_hash: str, origin: Origin
) -> None:
    """Use a link: set the password, end every session, and clear the counts of failures.

    Those of wrong codes and of letters to set up a second factor are cleared as well. Raises
    Rejected if the link has expired or was spent meanwhile.
    """
    kind, action = LinkKind.PASSWORD_RESET, Action.PASSWORD_RESET
    customer = await email_verification.use(db, kind, token, throttle, origin=origin)
    await throttle.clear(db, *throttle.of_factors(customer.id, customer.email))
    by_owner = origin.by(customer.id)
    await customers.set_password(db, customer, password_hash, action=action, origin=by_owner)


async def sign_in(
    db: Transaction,
    kind: LinkKind,
    token: str,
    throttle: Throttle,
    lifetimes: Lifetimes,
    *,
    origin: Origin,
) -> Opened | Challenge:
    """Use a link: clear the counts of failures, and open a session.

    Raises Rejected if the link has expired or was spent meanwhile, and TooManyAttempts.
    """
    customer = await email_verification.use(db, kind, token, throttle, origin=origin)
    return await authentication.sign_in_by_other_means(
        db, customer.id, throttle, lifetimes, Proof(LINK), origin=origin
    )
