"""Passkeys: setting one up, and signing in by one alone."""

import strawberry
from strawberry.scalars import JSON

from gql_app.accounts.sessions import SignedIn
from gql_app.errors import Fault, Rejected
from gql_app.factors import changes, passkeys
from gql_app.factors.passkeys import Added, Passkeys
from gql_app.schema.authentication import LoginPayload, counted
from gql_app.schema.challenges import SecondFactor
from gql_app.schema.context import Context, Info
from gql_app.schema.customers import or_null
from gql_app.schema.factors.passkey_proofs import enabled, judging
from gql_app.schema.factors.second_factors import (
    SecondFactorPayload,
    enrolling,
    require_enrolling,
    told_of_codes,
)
from gql_app.schema.payloads import Payload, mutation
from gql_app.schema.permissions import recently_authenticated


@strawberry.type
class PasskeyOptionsPayload(Payload):
    """What a browser is asked for a passkey with."""

    options: JSON | None = None


@strawberry.type
class PasskeyMutation:
    """Setting up passkeys, and signing in by them."""

    @mutation(PasskeyOptionsPayload, recently_authenticated(enrols=True))
    async def begin_passkey(self, info: Info) -> PasskeyOptionsPayload | None:
        """Begin to set up a passkey of the caller's."""
        context, me = info.context, await info.context.signed_in(enrols=True)
        judges = enabled(context)
        await require_enrolling(context, me)
        authority = await enrolling(context, me)
        begun = await context.write_as(authority, passkeys.begin, me.customer.id)
        options = judges.creation_options(me, begun)
        return PasskeyOptionsPayload.success("Have your browser make a passkey.", options=options)

    @mutation(SecondFactorPayload, recently_authenticated(enrols=True))
    async def confirm_passkey(
        self, info: Info, credential: JSON, name: str | None = strawberry.UNSET
    ) -> SecondFactorPayload | None:
        """Put a passkey in force that was begun."""
        context, me = info.context, await info.context.signed_in(enrols=True)
        judges, given = enabled(context), or_null(name)
        await require_enrolling(context, me)
        called = None if given is None else changes.name_of(given)
        added = await _added(context, me, judges, credential, called)
        return SecondFactorPayload.success(
            context.done(told_of_codes(added.codes)),
            second_factor=SecondFactor.of(added.factor),
            codes=added.codes,
        )

    @mutation(PasskeyOptionsPayload)
    async def begin_passkey_sign_in(self, info: Info) -> PasskeyOptionsPayload:
        """Return a challenge that is stored nowhere, so that asking for many costs nothing."""
        options = enabled(info.context).sign_in_options()
        return PasskeyOptionsPayload.success("Have your browser find a passkey.", options=options)

    @mutation(LoginPayload)
    async def sign_in_with_passkey(self, info: Info, credential: JSON) -> LoginPayload:
        """Return a session's tokens of whose passkey it is; count how it ends."""
        context, judges = info.context, enabled(info.context)
        return await counted(context, _signed_in(context, judges, credential))


async def _added(
    context: Context, me: SignedIn, judges: Passkeys, credential: object, name: str | None
) -> Added:
    """Return the passkey that the caller's session has set up. Raises Rejected."""
    origin, authority = await context.by_caller(enrols=True), await enrolling(context, me)
    answer, registered = judges.registered(me, credential)
    return await context.write_as(
        authority,
        passkeys.confirm,
        me,
        answer,
        registered,
        name,
        origin=origin,
        ends_others=context.resources.proofs.holds(me.customer),
    )


async def _signed_in(context: Context, judges: Passkeys, credential: object) -> LoginPayload:
    """Return the tokens of whose passkey it is. Raises Rejected.

    What answers no challenge of ours costs nothing, and tells of no passkey.
    """
    answer, resources = judges.answer(credential), context.resources
    async with judging(context):
        proven = await judges.verified(context.db, answer, owner=None)
        opened = await context.transact(
            passkeys.sign_in,
            proven,
            resources.throttle,
            resources.lifetimes,
            origin=context.origin,
            proven_only=resources.verification == "require",
        )
        if isinstance(opened, Fault):
            raise Rejected(opened)
    return await LoginPayload.signed_in(context, opened, f"Welcome, {opened.customer.name}.")
