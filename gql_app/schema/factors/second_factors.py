"""Second factors: setting up codes, sign-in, reauthentication, and removing a factor."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import field, replace
from typing import Final
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from gql_app.accounts.audit import Action
from gql_app.accounts.authentication import check_typed
from gql_app.accounts.callers import Authority, admin_authority
from gql_app.accounts.factors import second_factors
from gql_app.accounts.permissions import WRITE_CUSTOMERS
from gql_app.accounts.proofs import LINK
from gql_app.accounts.sessions import SignedIn
from gql_app.errors import Fault, Rejected, TooManyAttempts, UserErrorCode
from gql_app.factors import challenges, changes, codes, proving, recovery_codes
from gql_app.lib import one_time_codes
from gql_app.lib.clock import parse_id
from gql_app.schema.authentication import LoginPayload, metered
from gql_app.schema.context import NOBODY, Context, Info, or_null
from gql_app.schema.factors import passkey_proofs
from gql_app.schema.factors.challenges import SecondFactor
from gql_app.schema.mail.links import find_by_token
from gql_app.schema.payloads import Payload, StatusPayload, mutation
from gql_app.schema.permissions import IsAuthenticated, IsRecentlyAuthenticated
from gql_app.schema.profile import change_authority, prove_password
from gql_app.security.tokens import CHALLENGE, UNDO_FACTOR


@strawberry.type
class CodesPayload(Payload):
    """The secret by which an authenticator app is set up."""

    secret: str | None = field(default=None, repr=False)
    uri: str | None = field(default=None, repr=False)

    @strawberry.field
    def qr_code(self) -> str | None:
        """Return the URI as a QR code, None if it is too long for one."""
        try:
            return self.uri and one_time_codes.qr_code(self.uri)
        except ValueError:
            return None


@strawberry.type
class RecoveryCodesPayload(Payload):
    """Recovery codes, which are shown only once."""

    codes: list[str] | None = field(default=None, repr=False)


@strawberry.type
class SecondFactorPayload(Payload):
    """A second factor, and the recovery codes that were made with it."""

    second_factor: SecondFactor | None = None
    codes: list[str] | None = field(default=None, repr=False)


@strawberry.type
class SecondFactorMutation:
    """Setting up, using and removing second factors."""

    @mutation(CodesPayload, IsRecentlyAuthenticated(enrols=True))
    async def begin_codes(self, info: Info) -> CodesPayload | None:
        """Begin to set up an app, whose secret is shown only once."""
        context, me = info.context, await info.context.signed_in(enrols=True)
        await require_sign_in_link(context, me)
        authority, secret = await enrol_authority(context, me), one_time_codes.new_secret()
        encryption = context.resources.encryption
        await context.write_as(authority, codes.begin, me, secret, encryption)
        issuer = context.resources.settings.product_name
        return CodesPayload.success(
            "Scan the QR code with your app, and confirm it by the code that it shows.",
            secret=one_time_codes.secret_text(secret),
            uri=one_time_codes.uri(secret, account=me.customer.email, issuer=issuer),
        )

    @mutation(RecoveryCodesPayload, IsRecentlyAuthenticated(enrols=True))
    async def confirm_codes(self, info: Info, code: str) -> RecoveryCodesPayload | None:
        """Put the app in force whose set-up was begun, by its first right code."""
        context, me = info.context, await info.context.signed_in(enrols=True)
        check_typed(code, "code", what="the code")
        await require_sign_in_link(context, me)
        origin, resources = context.origin.by(me.customer.id), context.resources
        authority = await enrol_authority(context, me)
        async with limit_codes(context, me.customer.id):
            made = await context.write_as(
                authority,
                proving.confirm,
                me,
                code,
                resources.throttle,
                resources.encryption,
                origin=origin,
                ends_others=resources.proofs.must_enrol(me.customer),
            )
            if isinstance(made, Fault):
                raise Rejected(made)
        return RecoveryCodesPayload.success(context.with_note(set_up_message(made)), codes=made)

    @mutation(RecoveryCodesPayload, IsRecentlyAuthenticated)
    async def renew_recovery_codes(self, info: Info) -> RecoveryCodesPayload | None:
        """Replace the caller's recovery codes by new ones."""
        context, me = info.context, await info.context.signed_in()
        authority = replace(await change_authority(context, me, "access"), recent=True)
        origin = context.origin.by(me.customer.id)
        made = await context.write_as(
            authority, recovery_codes.renew, me.customer.id, origin=origin
        )
        message = context.with_note(f"{_KEEP_THEM} Those of before are void.")
        return RecoveryCodesPayload.success(message, codes=made)

    @mutation(StatusPayload, IsRecentlyAuthenticated)
    async def remove_second_factor(self, info: Info, id: strawberry.ID) -> StatusPayload | None:
        """Remove a factor of the caller or, with the permission, of another customer."""
        context, me = info.context, await info.context.signed_in()
        origin, caller = context.origin.by(me.customer.id), me.caller(context.roles)
        [factor] = await second_factors.by_ids(context.db, [parse_id(id) or NOBODY])
        of_another = factor is not None and factor.customer_id != me.customer.id
        if factor is None or (of_another and WRITE_CUSTOMERS not in caller.permissions):
            raise Rejected(changes.NOT_FOUND)
        authority = replace(await change_authority(context, me, "access"), recent=True)
        if of_another:
            authority = admin_authority(me, targets=(factor.customer_id,), changes_access=True)
        whose = factor.customer_id
        await context.write_as(
            authority, changes.remove, whose, factor.id, ends_sessions=of_another, origin=origin
        )
        return StatusPayload.success(context.with_note("The second factor is removed."))

    @mutation(SecondFactorPayload, IsAuthenticated)
    async def rename_second_factor(
        self, info: Info, id: strawberry.ID, name: str
    ) -> SecondFactorPayload | None:
        """Rename a factor of the caller."""
        context, me = info.context, await info.context.signed_in()
        origin, new = context.origin.by(me.customer.id), changes.name_of(name)
        authority = await change_authority(context, me, "change")
        factor_id = parse_id(id) or NOBODY
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
        """Return a session's tokens if the second factor is right; count the result."""
        context = info.context
        _require_one(code=code, passkey=passkey)
        context.shield()
        if or_null(passkey) is not None:
            passkey_proofs.require_passkeys(context)
            return await metered(context, passkey_proofs.sign_in(context, challenge, passkey))
        return await metered(context, _sign_in_with_code(context, challenge, code or ""))

    @mutation(StatusPayload, IsAuthenticated(enrols=True))
    async def reauthenticate(
        self,
        info: Info,
        password: str | None = strawberry.UNSET,
        code: str | None = strawberry.UNSET,
        passkey: JSON | None = strawberry.UNSET,
    ) -> StatusPayload | None:
        """Record a new proof of the caller's identity, for this session only."""
        context, me = info.context, await info.context.signed_in(enrols=True)
        _require_one(password=password, code=code, passkey=passkey)
        authority = replace(await change_authority(context, me, "access"), enrols=True)
        if or_null(passkey) is not None:
            await passkey_proofs.reauthenticate(context, authority, passkey)
        elif or_null(code) is not None:
            await _prove_by_code(context, authority, code or "")
        else:
            await _prove_by_password(context, authority, password or "")
        return StatusPayload.success("It is you: go on with what asked for this.")

    @mutation(StatusPayload)
    async def undo_second_factor(self, info: Info, token: str) -> StatusPayload:
        """Remove a factor that its owner did not set up, and end all sessions."""
        context = info.context
        await find_by_token(context, UNDO_FACTOR, token, changes.undoable)
        await context.transact(changes.undo, token, origin=context.origin)
        return StatusPayload.success(context.with_note(_UNDONE))


async def require_sign_in_link(context: Context, me: SignedIn) -> None:
    """Raise Rejected if the caller has to sign in by a link before setting up a factor; send one.

    With mail, the password alone is not enough to set up the factor that is required.
    """
    resources = context.resources
    is_held = resources.proofs.must_enrol(me.customer) and resources.mailer.open
    if not is_held or LINK in (me.session.methods or "").split():
        return
    throttle = resources.throttle
    by_account = throttle.of_account("link", me.customer.id)
    limits = (by_account, *throttle.of_client("link", context.origin.ip_address))
    await throttle.require_room(context.db, *limits)
    origin = context.origin.by(me.customer.id)
    authority = Authority(me, enrols=True)
    await context.write_as(authority, changes.post_enrolment, me, throttle, *limits, origin=origin)
    raise Rejected(_USE_THE_LINK)


async def enrol_authority(context: Context, me: SignedIn) -> Authority:
    """Return the authority to set up a factor. Raises TooManyAttempts."""
    limit = context.resources.throttle.of_account("factor", me.customer.id)
    authority = await change_authority(context, me, "access", limit)
    return replace(authority, recent=True, enrols=True)


def set_up_message(made: Sequence[str] | None) -> str:
    """Return the message for a new factor, and for recovery codes that were made with it."""
    return f"Your second factor is set up. {_KEEP_THEM if made else ''}".strip()


@asynccontextmanager
async def limit_codes(context: Context, customer_id: UUID) -> AsyncIterator[None]:
    """Limit the codes that are tried for an account in the block; note wrong ones for the audit.

    Raises TooManyAttempts. A guess is counted even if the client disconnects.
    """
    throttle = context.resources.throttle
    limit = throttle.of_account("code", customer_id)
    context.shield()
    try:
        await throttle.require_room(context.db, limit)
        yield
    except TooManyAttempts as why:
        if why.limit == limit.name:
            context.note_guess(Action.SECOND_FACTOR_THROTTLED, customer_id)
        raise
    except Rejected as why:
        if proving.WRONG in why.faults:
            context.note_guess(Action.SECOND_FACTOR_FAILED, customer_id)
        raise


async def _sign_in_with_code(context: Context, token: str, code: str) -> LoginPayload:
    """Return the tokens of a session, opened by a challenge and a code. Raises Rejected."""
    resources, spent = context.resources, challenges.SPENT
    found = await find_by_token(context, CHALLENGE, token, challenges.find, spent=spent)
    async with limit_codes(context, found.customer.id):
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
    return await LoginPayload.of(context, opened)


async def _prove_by_code(context: Context, authority: Authority, code: str) -> None:
    """Record a proof of the caller's identity by a code of an app, or by a recovery code."""
    me, resources = authority.me, context.resources
    origin = context.origin.by(me.customer.id)
    async with limit_codes(context, me.customer.id):
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
    """Record a proof by the password, which is enough only without a second factor."""
    me = authority.me
    if me.customer.factors_version:
        raise Rejected(proving.FACTOR_REQUIRED)
    if not me.customer.has_password:
        raise Rejected(_NO_PASSWORD)
    origin = context.origin.by(me.customer.id)
    authority = await prove_password(context, authority, password, field="password")
    await context.write_as(authority, proving.reauthenticate_by_password, me, origin=origin)


def _require_one(**given: object) -> None:
    """Raise Rejected unless exactly one of some arguments is given, and isn't blank."""
    names = [name for name, value in given.items() if value not in (None, strawberry.UNSET)]
    if not names:
        message = f"Give one of these: {', '.join(given)}."
        raise Rejected(Fault(UserErrorCode.REQUIRED, message, next(iter(given))))
    if len(names) > 1:
        message = f"Give only one of these: {', '.join(names)}."
        raise Rejected(Fault(UserErrorCode.INVALID, message, names[1]))
    if isinstance(typed := given[names[0]], str):
        check_typed(typed, names[0], what=f"the {names[0]}")


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
