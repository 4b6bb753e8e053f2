"""Authentication: sign-in, registration, and refresh of a session's tokens."""

from collections.abc import Awaitable
from contextlib import nullcontext
from dataclasses import field, replace
from datetime import datetime
from typing import Final, Self
from uuid import UUID

import strawberry

from gql_app.accounts import authentication, customers, proofs, refresh_tokens, validation
from gql_app.accounts.audit import Action
from gql_app.accounts.factors.challenges import Challenge
from gql_app.accounts.mail import registrations
from gql_app.accounts.proofs import Proof
from gql_app.accounts.records import CustomerRecord, Person
from gql_app.accounts.sessions import Caller, Opened, SignedIn, proof_claims
from gql_app.errors import Fault, Rejected, TooManyAttempts, UserErrorCode
from gql_app.lib.database import Transaction, Unavailable
from gql_app.lib.faults import DependencyFailed
from gql_app.lib.telemetry import get_logger
from gql_app.schema.context import Context, Info, or_null
from gql_app.schema.customers import Customer
from gql_app.schema.factors.challenges import SecondFactorChallenge
from gql_app.schema.inputs import Input
from gql_app.schema.payloads import Payload, mutation
from gql_app.security.tokens import REFRESH, digest, issue_token


@strawberry.type
class LoginPayload(Payload):
    """A token, if the sign-in worked."""

    token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_at: datetime | None = None
    second_factor: SecondFactorChallenge | None = None
    who: strawberry.Private[tuple[Caller, CustomerRecord] | None] = None
    """The caller and the customer who are signed in now; None on ERROR."""

    @strawberry.field
    def customer(self, info: Info) -> Customer | None:
        """Return the customer, None on ERROR; what is below is theirs to see."""
        if self.who is None:
            return None
        info.context.view_as(*self.who, below=info.path)
        return Customer.seen_by(*self.who)

    @classmethod
    async def of(
        cls, context: Context, opened: Opened | Challenge, message: str | None = None
    ) -> Self:
        """Return a session's tokens, which are shown only once. Raises Unavailable.

        Without a message the customer is welcomed. A sign-in that waits for a second factor is an
        ERROR, with the challenge to answer.
        """
        if isinstance(opened, Challenge):
            payload = cls.rejected(context, Rejected(_SECOND_FACTOR))
            payload.second_factor = SecondFactorChallenge.of(opened, context.resources.passkeys)
            return payload
        resources, customer, session = context.resources, opened.customer, opened.session
        issuer = resources.issuer
        try:
            token, claims = await issue_token(
                resources.extensions.signer,
                resources.keys.get(),
                replace(issuer, audience=session.audience) if session.audience else issuer,
                customer_id=customer.id,
                session_id=session.id,
                not_after=session.expires_at,
                hints=await _extra_claims(context, opened),
            )
        except Unavailable as why:
            why.extensions["mayBeDone"] = True  # for what was done is committed
            raise
        context.caller_id = customer.id
        caller = SignedIn(customer, session).caller(context.roles)
        return cls.success(
            message or f"Welcome, {customer.name}.",
            token=token,
            expires_at=claims.expires_at,
            refresh_token=opened.refresh_token,
            refresh_expires_at=opened.refresh_expires_at,
            who=(caller, customer),
        )


@strawberry.input
class RegisterInput(Input):
    """A customer who registers."""

    name: str
    email: str
    password: str = field(repr=False)
    phone: str | None = strawberry.UNSET
    locale: str | None = strawberry.UNSET


@strawberry.type
class AuthenticationMutation:
    """Sign-in, registration, and refresh of a session's tokens."""

    @mutation(LoginPayload)
    async def login(
        self, info: Info, email: str, password: str, audience: str | None = strawberry.UNSET
    ) -> LoginPayload:
        """Return a session's tokens if the password is right; count the result."""
        context = info.context
        service = _service(context, or_null(audience))
        typed = authentication.check_typed(password, "password", what="the password")
        context.shield()
        return await metered(context, _login(context, email, typed, service))

    @mutation(LoginPayload)
    async def refresh(self, info: Info, refresh_token: str) -> LoginPayload:
        """Return the session's next tokens, once the rotation is committed."""
        context = info.context
        opened = await _refreshed(context, refresh_token)
        return await LoginPayload.of(context, opened, "The session goes on.")

    @mutation(LoginPayload)
    async def register(self, info: Info, input: RegisterInput) -> LoginPayload:
        """Return the new customer's tokens, or none if the address is to be proven first."""
        context, resources = info.context, info.context.resources
        if not resources.settings.registration:
            raise Rejected(_REGISTRATION_CLOSED)
        throttle = resources.throttle
        limits = throttle.of_client("register", context.origin.ip_address)
        await throttle.require_room(context.db, *limits)
        waits = resources.verification == "require"
        async with nullcontext() if waits else context.limit_taken_answers():
            await context.transact(throttle.count, *limits)
            given = input.provided()
            if given.get("locale") is None:
                given["locale"] = context.language
            new = await input.checked(validation.check_new, **given, rules=resources.rules)
            await resources.rules.accept_password(new.password, Person(new.name, new.email))
            hashed = await resources.passwords.hash(new.password, context.origin.party)
            if waits:
                await context.transact(
                    registrations.request,
                    new,
                    password_hash=hashed,
                    data=input.stored(info) or None,
                    origin=context.origin,
                )
                return LoginPayload.success(_USE_THE_LINK)
            opened = await context.transact(
                input.saving(context, customers.register),
                new,
                resources.lifetimes,
                password_hash=hashed,
                origin=context.origin,
                verifies=resources.verification != "off",
            )
        message = context.with_note(f"Welcome, {opened.customer.name}.")
        return await LoginPayload.of(context, opened, message)


async def metered(context: Context, attempt: Awaitable[LoginPayload]) -> LoginPayload:
    """Return the payload of an attempt to sign in, and count its result."""
    result = "failed"
    try:
        payload = await attempt
        result = "second_factor" if payload.second_factor else "success"
    except Rejected as why:
        result = "unverified" if UserErrorCode.EMAIL_NOT_VERIFIED in why.codes else "wrong"
        result = "throttled" if isinstance(why, TooManyAttempts) else result
        raise
    finally:
        context.resources.metrics.sign_ins[result].inc()
    return payload


async def sign_in(
    context: Context, customer_id: UUID, *, audience: str | None = None
) -> LoginPayload:
    """Return the tokens of a customer authenticated by a feature, such as by another provider.

    It opens a session as `login` does, with the same limits and audit event, and asks for the
    second factor of a customer who has one. Raises Rejected if there is no such customer or the
    account is closed, if its address has to be verified and isn't, or for an unknown audience,
    TooManyAttempts, and Unavailable.
    """
    service, resources = _service(context, audience), context.resources
    opened = await context.transact(
        authentication.sign_in_by_other_means,
        customer_id,
        resources.throttle,
        resources.lifetimes,
        Proof(proofs.ELSEWHERE, service),
        origin=context.origin,
        verified_only=resources.verification == "require",
    )
    return await LoginPayload.of(context, opened)


_log: Final = get_logger(__name__)
_SECOND_FACTOR: Final = Fault(
    UserErrorCode.SECOND_FACTOR_REQUIRED,
    "Almost there: prove by your second factor that it is you, with verifySecondFactor.",
)
_USE_THE_LINK: Final = (
    "Almost done: use the link in the letter that was sent to this address, and sign in."
)
_REGISTRATION_CLOSED: Final = Fault(
    UserErrorCode.REGISTRATION_CLOSED, "Registration is closed. Ask an admin for an account."
)


def _service(context: Context, audience: str | None) -> str | None:
    """Return the audience of a token for another service, None for this API. Raises Rejected."""
    resources = context.resources
    if audience is None or audience == resources.issuer.audience:
        return None
    if audience not in resources.audiences:
        message = "This server issues no tokens for this audience."
        raise Rejected(Fault(UserErrorCode.INVALID, message, "audience"))
    return audience


async def _extra_claims(context: Context, opened: Opened) -> dict[str, object]:
    """Return a token's claims for other services: roles, the proof, and those of features.

    Raises Unavailable; any other error of a feature is logged, and raised as DependencyFailed, for
    the session is committed.
    """
    claims_of = context.resources.extensions.claims
    try:
        added = await claims_of(context.db, opened.customer) if claims_of else {}
    except Unavailable:
        raise
    except Exception as why:
        _log.exception("The claims failed")
        raise DependencyFailed from why
    return {**added, "roles": opened.customer.roles.split(), **proof_claims(opened.session)}


async def _login(context: Context, email: str, password: str, audience: str | None) -> LoginPayload:
    """Return the tokens of a sign-in by password. Raises Rejected, TooManyAttempts included.

    The password is checked once more if the account has changed after it: another sign-in may have
    renewed its hash.
    """
    resources, origin = context.resources, context.origin
    verified_only = resources.verification == "require"
    for _ in range(2):
        attempt = await authentication.check(
            context.db,
            resources.passwords,
            resources.throttle,
            email=email,
            password=password,
            origin=origin,
            verified_only=verified_only,
        )
        opened = await context.transact(
            authentication.sign_in,
            attempt,
            resources.throttle,
            resources.lifetimes,
            origin=origin,
            audience=audience,
            verified_only=verified_only,
        )
        if not (attempt.succeeded and opened is authentication.WRONG):
            break
    if isinstance(opened, Fault):
        raise Rejected(opened)
    return await LoginPayload.of(context, opened)


async def _refreshed(context: Context, token: str) -> Opened:
    """Return a refreshed session. Raises Rejected, TooManyAttempts included.

    Unknown tokens are limited by client, refreshes by account: guesses of a client do not keep
    others behind its address from their sessions. A malformed token counts against no limit.
    """
    if digest(REFRESH, token) is None:
        raise Rejected(refresh_tokens.UNKNOWN)
    throttle, origin = context.resources.throttle, context.origin
    owner = await refresh_tokens.owner(context.db, token)
    if owner is None:
        guesses = throttle.of_client("refresh", origin.ip_address)
        await throttle.require_room(context.db, *guesses)
        await context.transact(throttle.count, *guesses)
        context.note_guess(Action.REFRESH_REFUSED)
        raise Rejected(refresh_tokens.UNKNOWN)
    customer_id, audience = owner
    if audience and audience not in context.resources.audiences:
        raise Rejected(refresh_tokens.ENDED)  # the service is not configured any more
    limit = throttle.of_account("refresh", customer_id)
    await throttle.require_room(context.db, limit)

    async def rotate(db: Transaction) -> Opened | Fault:
        result = await refresh_tokens.rotate(db, token, origin, context.resources.lifetimes)
        if isinstance(result, Opened):
            await throttle.count(db, limit)
        return result

    result = await context.transact(rotate)
    if isinstance(result, Fault):
        raise Rejected(result)
    return result
