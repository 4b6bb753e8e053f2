"""Passkeys: setting one up, and signing in with one alone."""

import strawberry
from strawberry.scalars import JSON

from gql_app.errors import Fault, Rejected
from gql_app.factors import changes, passkeys
from gql_app.factors.passkeys import Passkeys
from gql_app.schema.authentication import LoginPayload, metered
from gql_app.schema.context import Context, Info, or_null
from gql_app.schema.factors.challenges import SecondFactor
from gql_app.schema.factors.passkey_proofs import limit_passkeys, require_passkeys
from gql_app.schema.factors.second_factors import (
    SecondFactorPayload,
    enrol_authority,
    require_sign_in_link,
    set_up_message,
)
from gql_app.schema.payloads import Payload, mutation
from gql_app.schema.permissions import IsRecentlyAuthenticated


@strawberry.type
class PasskeyOptionsPayload(Payload):
    """The options by which a browser is asked for a passkey (WebAuthn)."""

    options: JSON | None = None


@strawberry.type
class PasskeyMutation:
    """Setting up passkeys, and signing in with them."""

    @mutation(PasskeyOptionsPayload, IsRecentlyAuthenticated(enrols=True))
    async def begin_passkey(self, info: Info) -> PasskeyOptionsPayload | None:
        """Begin to set up a passkey of the caller's."""
        context, me = info.context, await info.context.signed_in(enrols=True)
        verifier = require_passkeys(context)
        await require_sign_in_link(context, me)
        authority = await enrol_authority(context, me)
        begun = await context.write_as(authority, passkeys.begin, me.customer.id)
        options = verifier.creation_options(me, begun)
        return PasskeyOptionsPayload.success("Have your browser make a passkey.", options=options)

    @mutation(SecondFactorPayload, IsRecentlyAuthenticated(enrols=True))
    async def confirm_passkey(
        self, info: Info, credential: JSON, name: str | None = strawberry.UNSET
    ) -> SecondFactorPayload | None:
        """Put the passkey in force whose set-up was begun."""
        context, me = info.context, await info.context.signed_in(enrols=True)
        verifier, given = require_passkeys(context), or_null(name)
        await require_sign_in_link(context, me)
        called = None if given is None else changes.name_of(given)
        authority = await enrol_authority(context, me)
        added = await context.write_as(
            authority,
            passkeys.confirm,
            me,
            verifier.registered(me, credential),
            called,
            context.resources.throttle,
            origin=context.origin.by(me.customer.id),
            ends_others=context.resources.proofs.must_enrol(me.customer),
        )
        return SecondFactorPayload.success(
            context.with_note(set_up_message(added.codes)),
            second_factor=SecondFactor.of(added.factor),
            codes=added.codes,
        )

    @mutation(PasskeyOptionsPayload)
    async def begin_passkey_sign_in(self, info: Info) -> PasskeyOptionsPayload:
        """Return a challenge, which is not stored, so that many requests take no space."""
        options = require_passkeys(info.context).sign_in_options()
        return PasskeyOptionsPayload.success("Have your browser find a passkey.", options=options)

    @mutation(LoginPayload)
    async def sign_in_with_passkey(self, info: Info, credential: JSON) -> LoginPayload:
        """Return a session's tokens for the passkey's owner; count the result."""
        context, verifier = info.context, require_passkeys(info.context)
        return await metered(context, _sign_in_with_passkey(context, verifier, credential))


async def _sign_in_with_passkey(
    context: Context, verifier: Passkeys, credential: object
) -> LoginPayload:
    """Return the tokens of a session for the passkey's owner. Raises Rejected.

    A credential without a challenge of this server counts against no limit, nor is it looked up.
    """
    answer, resources = verifier.answer(credential), context.resources
    async with limit_passkeys(context):
        proven = await verifier.verified(context.db, answer, owner=None)
        opened = await context.transact(
            passkeys.sign_in,
            proven,
            resources.throttle,
            resources.lifetimes,
            origin=context.origin,
            verified_only=resources.verification == "require",
        )
        if isinstance(opened, Fault):
            raise Rejected(opened)
    return await LoginPayload.of(context, opened)
