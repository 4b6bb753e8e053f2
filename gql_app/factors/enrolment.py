"""Enrolment: the link in a letter to set up a second factor, where the policy requires one."""

from gql_app.accounts import audit, letters
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.links import LinkKind
from gql_app.accounts.sessions import SignedIn
from gql_app.accounts.throttling import Throttle
from gql_app.lib.database import Transaction
from gql_app.lib.throttling import Limit


async def post_link(
    db: Transaction, me: SignedIn, throttle: Throttle, *limits: Limit, origin: Origin
) -> None:
    """Post the link to an account, which is locked already. Raises TooManyAttempts."""
    await letters.post_link(db, LinkKind.ENROLMENT, customer_id=me.customer.id)
    await throttle.count(db, *limits)
    action = Action.SIGN_IN_LINK_REQUESTED
    await audit.record(db, action, origin, customer_id=me.customer.id)
