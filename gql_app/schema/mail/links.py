"""Links: looking up their tokens, with a rate limit on guesses."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gql_app.accounts.audit import Action
from gql_app.accounts.mail import links
from gql_app.accounts.mail.links import TERMS, LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib.database import Reader
from gql_app.mail import link_tokens
from gql_app.schema.context import Context
from gql_app.security.tokens import RESET, digest

T = TypeVar("T")
NO_MAIL: Final = Fault(
    UserErrorCode.MAIL_NOT_SET_UP,
    "Mail is not set up on this server, so no link can be sent. Ask an admin.",
)


async def link_owner(context: Context, kind: LinkKind, token: str) -> CustomerRecord:
    """Return the customer whose link has a token; guesses are counted. Raises Rejected."""
    prefix = TERMS[kind].prefix
    return await find_by_token(
        context, prefix, token, lambda db, text: link_tokens.owner(db, kind, text)
    )


async def find_by_token(
    context: Context,
    prefix: str,
    token: str,
    look_up: Callable[[Reader, str], Awaitable[T | None]],
    *,
    spent: Fault = links.SPENT,
) -> T:
    """Return what `look_up(db, token)` finds by the token of a link; guesses are counted.

    A malformed token counts against no limit. Raises Rejected with the fault `spent` if nothing is
    found, or what `look_up` raises, such as that the link is too old.
    """
    if digest(prefix, token) is None:
        raise Rejected(spent)
    by_reset = ("reset with", Action.RESET_REFUSED)
    limit, refused = by_reset if prefix == RESET else ("link with", Action.LINK_REFUSED)
    throttle = context.resources.throttle
    limits = throttle.of_client(limit, context.origin.ip_address)
    await throttle.require_room(context.db, *limits)
    found = await look_up(context.db, token)
    if found is None:
        await context.transact(throttle.count, *limits)
        context.note_guess(refused)
        raise Rejected(spent)
    return found
