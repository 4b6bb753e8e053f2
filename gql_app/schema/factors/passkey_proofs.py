"""Proofs by passkeys: limits of refused ones, second factors, and reauthentication."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from gql_app.accounts.audit import Action
from gql_app.accounts.callers import Authority
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.factors import challenges, passkeys
from gql_app.factors.passkeys import Passkeys
from gql_app.schema.authentication import LoginPayload
from gql_app.schema.context import Context
from gql_app.schema.mail.links import find_by_token
from gql_app.security.tokens import CHALLENGE

_NOT_ENABLED: Final = Fault(
    UserErrorCode.NOT_ENABLED, "This server takes no passkeys. Take another way."
)


def require_passkeys(context: Context) -> Passkeys:
    """Return the verifier of passkeys. Raises Rejected if they are not enabled."""
    if context.resources.passkeys is None:
        raise Rejected(_NOT_ENABLED)
    return context.resources.passkeys


@asynccontextmanager
async def limit_passkeys(context: Context, customer_id: UUID | None = None) -> AsyncIterator[None]:
    """Count by client a passkey that is refused within the block, and note it for the audit.

    The audit has the customer whose passkey it should be. Raises TooManyAttempts before the block
    begins if a limit is reached. A refusal is counted even if the client disconnects.
    """
    throttle = context.resources.throttle
    limits = throttle.of_client("passkey", context.origin.ip_address)
    context.shield()
    await throttle.require_room(context.db, *limits)
    try:
        yield
    except Rejected as why:
        if UserErrorCode.INVALID_PASSKEY in why.codes:
            await context.transact(throttle.count, *limits)
            context.note_guess(_FAILED if customer_id else Action.LOGIN_FAILED, customer_id)
        raise


async def sign_in(context: Context, token: str, credential: object) -> LoginPayload:
    """Return the tokens of a session, opened by a challenge and a passkey. Raises Rejected."""
    verifier, resources, spent = require_passkeys(context), context.resources, challenges.SPENT
    found = await find_by_token(context, CHALLENGE, token, challenges.find, spent=spent)
    async with limit_passkeys(context, found.customer.id):
        answer = verifier.answer(credential, found)
        proven = await verifier.verified(context.db, answer, owner=found.customer.id)
        opened = await context.transact(
            passkeys.second_factor,
            token,
            proven,
            resources.throttle,
            resources.lifetimes,
            origin=context.origin,
        )
        if isinstance(opened, Fault):
            raise Rejected(opened)
    return await LoginPayload.of(context, opened)


async def reauthenticate(context: Context, authority: Authority, credential: object) -> None:
    """Record a proof of the caller's identity by their passkey. Raises Rejected."""
    me, verifier = authority.me, require_passkeys(context)
    origin = context.origin.by(me.customer.id)
    async with limit_passkeys(context, me.customer.id):
        answer = verifier.answer(credential)
        proven = await verifier.verified(context.db, answer, owner=me.customer.id)
        refused = await context.write_as(authority, passkeys.prove_again, me, proven, origin=origin)
        if refused:
            raise Rejected(refused)


_FAILED: Final = Action.SECOND_FACTOR_FAILED
