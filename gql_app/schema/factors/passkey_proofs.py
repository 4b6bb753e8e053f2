"""Proofs by passkeys: what one costs that is refused, and what goes on by one that is not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from gql_app.accounts import challenges
from gql_app.accounts.audit import Action
from gql_app.accounts.callers import Authority
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.factors import passkeys
from gql_app.factors.passkeys import Passkeys
from gql_app.schema.authentication import LoginPayload
from gql_app.schema.context import Context
from gql_app.schema.links import found_by
from gql_app.security.tokens import CHALLENGE

_NOT_ENABLED: Final = Fault(
    UserErrorCode.NOT_ENABLED,
    "This server takes no passkeys: it was not told on which domain its pages are.",
)


def enabled(context: Context) -> Passkeys:
    """Return what judges passkeys. Raises Rejected where there are none."""
    if context.resources.passkeys is None:
        raise Rejected(_NOT_ENABLED)
    return context.resources.passkeys


@asynccontextmanager
async def judging(context: Context, customer_id: UUID | None = None) -> AsyncIterator[None]:
    """Count by client a passkey that is refused within the block, if there is room for one.

    The audit has it, of the customer whose it should be. Raises TooManyAttempts, before it costs
    anything. It is counted though its client is gone.
    """
    throttle = context.resources.throttle
    limits = throttle.of_client("passkey", context.origin.ip_address)
    context.shield()
    await throttle.require_room(context.db, *limits)
    try:
        yield
    except Rejected as why:
        if any(fault.code is UserErrorCode.INVALID_PASSKEY for fault in why.faults):
            await context.transact(throttle.count, *limits)
            context.guessed(_FAILED if customer_id else Action.LOGIN_FAILED, customer_id)
        raise


async def signed_in_by(context: Context, token: str, credential: object) -> LoginPayload:
    """Return the tokens of a session that a challenge and its passkey open. Raises Rejected."""
    judges, resources, spent = enabled(context), context.resources, challenges.SPENT
    found = await found_by(context, CHALLENGE, token, challenges.find, spent=spent)
    async with judging(context, found.customer.id):
        answer = judges.answer(credential, found)
        proven = await judges.verified(context.db, answer, owner=found.customer.id)
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
    return await LoginPayload.signed_in(context, opened, f"Welcome, {opened.customer.name}.")


async def prove_by(context: Context, authority: Authority, credential: object) -> None:
    """Prove the caller's session by a passkey of theirs. Raises Rejected."""
    me, judges = authority.me, enabled(context)
    origin = await context.by_caller(enrols=True)
    async with judging(context, me.customer.id):
        answer = judges.answer(credential)
        proven = await judges.verified(context.db, answer, owner=me.customer.id)
        refused = await context.write_as(authority, passkeys.prove_again, me, proven, origin=origin)
        if refused:
            raise Rejected(refused)


_FAILED: Final = Action.SECOND_FACTOR_FAILED
