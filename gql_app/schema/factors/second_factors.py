"""Second factors: setting up codes, signing in by one, proving oneself again, and removing one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from gql_app.accounts import challenges, second_factors
from gql_app.accounts.audit import Action
from gql_app.accounts.callers import Authority
from gql_app.accounts.permissions import WRITE_CUSTOMERS
from gql_app.accounts.proofs import LINK
from gql_app.accounts.sessions import SignedIn
from gql_app.errors import Fault, Rejected, TooManyAttempts, UserErrorCode
from gql_app.factors import attempts, changes, codes, enrolment, proving, recovery_codes
from gql_app.lib import one_time_codes
from gql_app.lib.clock import parse_id
from gql_app.schema.authentication import LoginPayload, counted
from gql_app.schema.challenges import SecondFactor
from gql_app.schema.context import NOBODY, Context, Info
from gql_app.schema.customers import or_null
from gql_app.schema.factors import passkey_proofs
from gql_app.schema.links import found_by
from gql_app.schema.payloads import Payload, StatusPayload, mutation
from gql_app.schema.permissions import authenticated, recently_authenticated
from gql_app.schema.profile import prove_password, room_to_change
from gql_app.security.tokens import CHALLENGE, UNDO_FACTOR


@strawberry.type
class CodesPayload(Payload):
    """What an authenticator app is set up with."""

    secret: str | None = None
    uri: str | None = None

    @strawberry.field
    def qr_code(self) -> str | None:
        """Return the URI as a QR code, None if it is too long for one."""
        try:
            return self.uri and one_time_codes.qr_code(self.uri)
        except ValueError:
            return None


@strawberry.type
class RecoveryCodesPayload(Payload):
    """Recovery codes, which nobody is shown again."""

    codes: list[str] | None = None


@strawberry.type
class SecondFactorPayload(Payload):
    """The second factor it was about, and recovery codes that came with it."""

    second_factor: SecondFactor | None = None
    codes: list[str] | None = None


@strawberry.type
class SecondFactorMutation:
    """Setting up, using and removing second factors."""

    @mutation(CodesPayload, recently_authenticated(enrols=True))
    async def begin_codes(self, info: Info) -> CodesPayload | None:
        """Begin to set up an app, whose secret nobody is shown again."""
        context, me = info.context, await info.context.signed_in(enrols=True)
        await require_enrolling(context, me)
        authority, secret = await enrolling(context, me), one_time_codes.new_secret()
        encryption = context.resources.encryption
        await context.write_as(authority, codes.begin, me, secret, encryption)
        issuer = context.resources.product_name
        return CodesPayload.success(
            "Scan the QR code with your app, and confirm it by the code that it shows.",
            secret=one_time_codes.secret_text(secret),
            uri=one_time_codes.uri(secret, account=me.customer.email, issuer=issuer),
        )

    @mutation(RecoveryCodesPayload, recently_authenticated(enrols=True))
    async def confirm_codes(self, info: Info, code: str) -> RecoveryCodesPayload | None:
        """Put the app in force that was begun, by its first right code."""
        context, me = info.context, await info.context.signed_in(enrols=True)
        await require_enrolling(context, me)
        origin, resources = await context.by_caller(enrols=True), context.resources
        authority = await enrolling(context, me)
        async with guessing(context, me.customer.id):
            made = await context.write_as(
                authority,
                proving.confirm,
                me,
                code,
                resources.throttle,
                resources.encryption,
                origin=origin,
                ends_others=resources.proofs.holds(me.customer),
            )
            if isinstance(made, Fault):
                raise Rejected(made)
        return RecoveryCodesPayload.success(context.done(told_of_codes(made)), codes=made)

    @mutation(RecoveryCodesPayload, recently_authenticated())
    async def renew_recovery_codes(self, info: Info) -> RecoveryCodesPayload | None:
        """Make new recovery codes in the place of those before."""
        context, me = info.context, await info.context.signed_in()
        authority = replace(await room_to_change(context, me), recent=True)
        origin = await context.by_caller()
        made = await context.write_as(
            authority, recovery_codes.renew, me.customer.id, origin=origin
        )
        return RecoveryCodesPayload.success(f"{_KEEP_THEM} Those of before are void.", codes=made)

    @mutation(StatusPayload, recently_authenticated())
    async def remove_second_factor(self, info: Info, id: strawberry.ID) -> StatusPayload | None:
        """Remove a factor of the caller's, or of another with the permission."""
        context, me = info.context, await info.context.signed_in()
        origin, caller = await context.by_caller(), await context.caller()
        [factor] = await second_factors.by_ids(context.db, [parse_id(id) or NOBODY])
        of_another = factor is not None and factor.customer_id != me.customer.id
        if factor is None or (of_another and WRITE_CUSTOMERS not in caller.permissions):
            raise Rejected(changes.NOT_FOUND)
        authority = replace(await room_to_change(context, me), recent=True)
        if of_another:
            authority = Authority(
                me,
                permissions=(WRITE_CUSTOMERS,),
                as_admin=True,
                targets=(factor.customer_id,),
                changes_access=True,
                recent=True,
            )
        whose = factor.customer_id
        await context.write_as(
            authority, changes.remove, whose, factor.id, ends_sessions=of_another, origin=origin
        )
        return StatusPayload.success(context.done("The second factor is removed."))

    @mutation(SecondFactorPayload, authenticated())
    async def rename_second_factor(
        self, info: Info, id: strawberry.ID, name: str
    ) -> SecondFactorPayload | None:
        """Give a factor of the caller's a name."""
        context, me = info.context, await info.context.signed_in()
        origin, new = await context.by_caller(), changes.name_of(name)
        authority, factor_id = await room_to_change(context, me), parse_id(id) or NOBODY
        factor = await context.write_as(
            authority, changes.rename, me.customer.id, factor_id, new, origin=origin
        )
        message = f"The second factor is called {new}."
        return SecondFactorPayload.success(message, second_factor=SecondFactor.of(factor))

    @mutation(LoginPayload)
    async def verify_second_factor(
        self,
        info: Info,
        challenge: str,
        code: str | None = strawberry.UNSET,
        passkey: JSON | None = strawberry.UNSET,
    ) -> LoginPayload:
        """Return a session's tokens if a sign-in that waits is proven; count how it ends."""
        context = info.context
        _require_one(code=code, passkey=passkey)
        context.shield()
        if or_null(passkey) is not None:
            passkey_proofs.enabled(context)
            return await counted(context, passkey_proofs.signed_in_by(context, challenge, passkey))
        return await counted(context, _signed_in(context, challenge, code or ""))

    @mutation(StatusPayload, authenticated(enrols=True))
    async def reauthenticate(
        self,
        info: Info,
        password: str | None = strawberry.UNSET,
        code: str | None = strawberry.UNSET,
        passkey: JSON | None = strawberry.UNSET,
    ) -> StatusPayload | None:
        """Record that the caller has proven again who they are, for this session alone."""
        context, me = info.context, await info.context.signed_in(enrols=True)
        _require_one(password=password, code=code, passkey=passkey)
        authority = replace(await room_to_change(context, me), enrols=True)
        if or_null(passkey) is not None:
            await passkey_proofs.prove_by(context, authority, passkey)
        elif or_null(code) is not None:
            await _prove_by_code(context, authority, code or "")
        else:
            await _prove_by_password(context, authority, password or "")
        return StatusPayload.success("It is you: go on with what asked for this.")

    @mutation(StatusPayload)
    async def undo_second_factor(self, info: Info, token: str) -> StatusPayload:
        """Remove a factor that its owner did not set up, and end all sessions."""
        context = info.context
        await found_by(context, UNDO_FACTOR, token, changes.undoable)
        await context.transact(changes.undo, token, origin=context.origin)
        return StatusPayload.success(context.done(_UNDONE))


async def require_enrolling(context: Context, me: SignedIn) -> None:
    """Raise Rejected if a session that is held has to be opened by a link first, and post one.

    Where there is mail, whoever knows no more than the password sets up no factor by it.
    """
    resources = context.resources
    is_held = resources.proofs.holds(me.customer) and resources.mailer.open
    if not is_held or LINK in (me.session.methods or "").split():
        return
    throttle = resources.throttle
    by_account = throttle.of_account("link", me.customer.id)
    limits = (by_account, *throttle.of_client("link", context.origin.ip_address))
    await throttle.require_room(context.db, *limits)
    origin = await context.by_caller(enrols=True)
    authority = Authority(me, enrols=True)
    await context.write_as(authority, enrolment.post_link, me, throttle, *limits, origin=origin)
    raise Rejected(_USE_THE_LINK)


async def enrolling(context: Context, me: SignedIn) -> Authority:
    """Return the authority to set up a factor, if there is room. Raises TooManyAttempts."""
    return replace(await room_to_change(context, me), recent=True, enrols=True)


def told_of_codes(made: Sequence[str] | None) -> str:
    """Return what to say about a new factor, and the recovery codes that came with it."""
    return f"Your second factor is set up. {_KEEP_THEM if made else ''}".strip()


@asynccontextmanager
async def guessing(context: Context, customer_id: UUID) -> AsyncIterator[None]:
    """Judge a code of an account within the block, if there is room; the audit has its guesses.

    Raises TooManyAttempts. A guess is counted though its client is gone.
    """
    throttle, by = context.resources.throttle, context.origin._replace(actor_id=context.caller_id)
    limit = attempts.limit_of(throttle, customer_id)
    note = partial(context.resources.guesses.note, origin=by, customer_id=customer_id)
    context.shield()
    try:
        await throttle.require_room(context.db, limit)
        yield
    except TooManyAttempts as why:
        if why.limit == limit.name:
            note(Action.SECOND_FACTOR_THROTTLED)
        raise
    except Rejected as why:
        if attempts.WRONG in why.faults:
            note(Action.SECOND_FACTOR_FAILED)
        raise


async def _signed_in(context: Context, token: str, code: str) -> LoginPayload:
    """Return the tokens of a session that a challenge and its code open. Raises Rejected."""
    resources, spent = context.resources, challenges.SPENT
    found = await found_by(context, CHALLENGE, token, challenges.find, spent=spent)
    async with guessing(context, found.customer.id):
        opened = await context.transact(
            proving.sign_in,
            token,
            code,
            resources.throttle,
            resources.lifetimes,
            resources.encryption,
            origin=context.origin,
        )
        if isinstance(opened, Fault):
            raise Rejected(opened)
    return await LoginPayload.signed_in(context, opened, f"Welcome, {opened.customer.name}.")


async def _prove_by_code(context: Context, authority: Authority, code: str) -> None:
    """Prove the caller's session by a code of an app, or by a recovery code."""
    me, resources = authority.me, context.resources
    origin = await context.by_caller(enrols=True)
    async with guessing(context, me.customer.id):
        wrong = await context.write_as(
            authority,
            proving.reauthenticate_by_code,
            me,
            code,
            resources.throttle,
            resources.encryption,
            origin=origin,
        )
        if wrong:
            raise Rejected(wrong)


async def _prove_by_password(context: Context, authority: Authority, password: str) -> None:
    """Prove the caller's session by the password, which counts without a factor only."""
    me = authority.me
    if me.customer.has_second_factor:
        raise Rejected(proving.FACTOR_REQUIRED)
    if not me.customer.has_password:
        raise Rejected(_NO_PASSWORD)
    origin = await context.by_caller(enrols=True)
    authority = await prove_password(context, authority, password, field="password")
    await context.write_as(authority, proving.reauthenticate_by_password, me, origin=origin)


def _require_one(**given: object) -> None:
    """Raise Rejected unless exactly one of some arguments is given."""
    names = [name for name, value in given.items() if value not in (None, strawberry.UNSET)]
    if not names:
        message = f"Give one of these: {', '.join(given)}."
        raise Rejected(Fault(UserErrorCode.REQUIRED, message, next(iter(given))))
    if len(names) > 1:
        message = f"Give only one of these: {', '.join(names)}."
        raise Rejected(Fault(UserErrorCode.INVALID, message, names[1]))


_KEEP_THEM: Final = "Keep these recovery codes where you find them without your device."
_UNDONE: Final = (
    "The new second factor is gone, and every session was ended. If others may know your password, "
    "reset it now."
)
_NO_PASSWORD: Final = Fault(
    UserErrorCode.INVALID, "Your account has no password. Sign in again instead.", "password"
)
_USE_THE_LINK: Final = Fault(
    UserErrorCode.EMAIL_NOT_VERIFIED,
    "Use the link in the letter that was sent to your address: it opens a session in which you set "
    "up your second factor.",
)
