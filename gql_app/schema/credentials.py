"""Credentials: signing in, and what became of a token."""

from datetime import datetime
from typing import Self

import strawberry

from gql_app.accounts import credentials
from gql_app.accounts.sessions import Caller
from gql_app.errors import Rejected, TokenExpired, TokenReason, Unauthenticated
from gql_app.schema.context import Info
from gql_app.schema.customers import Customer
from gql_app.schema.payloads import Payload
from gql_app.security.tokens import Claims, encode_token

strawberry.enum(TokenReason, description="Why a token is no good.")


@strawberry.type(description="What became of the token that came with a request.")
class TokenReport:
    """What became of the token that came with a request."""

    valid: bool
    reason: TokenReason | None = strawberry.field(description="null when valid", default=None)
    message: str = strawberry.field(description="A sentence for a person.")
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    key_id: str | None = strawberry.field(description="Which key signed it.", default=None)

    @classmethod
    def good(cls, claims: Claims) -> Self:
        """Report a token that opens every field that its customer may see."""
        return cls(
            valid=True,
            message="The token is good.",
            issued_at=claims.issued_at,
            expires_at=claims.expires_at,
            key_id=claims.key_id,
        )

    @classmethod
    def bad(cls, why: Unauthenticated, presented: Claims | Unauthenticated) -> Self:
        """Report why a token is refused; its own words are told only if it is genuine."""
        report = cls(valid=False, reason=why.reason, message=why.message)
        match presented:
            case Claims():
                report.expires_at = presented.expires_at
            case TokenExpired():
                report.expires_at = presented.expired_at
            case _:
                return report
        report.issued_at, report.key_id = presented.issued_at, presented.key_id
        return report


@strawberry.type(description="A token, if the sign-in worked.")
class LoginPayload(Payload):
    """A token, if the sign-in worked."""

    token: str | None = strawberry.field(
        description="The access token, to be sent as Authorization: Bearer TOKEN; null on ERROR.",
        default=None,
    )
    expires_at: datetime | None = strawberry.field(
        description="When the token expires.", default=None
    )
    customer: Customer | None = strawberry.field(
        description="Who is signed in now, as seen by themself.", default=None
    )


@strawberry.type
class CredentialQuery:
    """Asking about one's token."""

    @strawberry.field(
        description="Explains the token that came with this request; open to everyone, "
        "never an error."
    )
    async def token(self, info: Info) -> TokenReport:
        """Judge the token as every protected field would, and tell."""
        presented = info.context.presented
        if isinstance(presented, Unauthenticated):
            return TokenReport.bad(presented, presented)
        try:
            await info.context.caller()
        except Unauthenticated as why:
            return TokenReport.bad(why, presented)
        return TokenReport.good(presented)


@strawberry.type
class CredentialMutation:
    """Signing in."""

    @strawberry.mutation(
        description="Signs in with an e-mail address and a password, and answers a token."
    )
    async def login(self, info: Info, email: str, password: str) -> LoginPayload:
        """Check the password, open a session and sign a token for it."""
        context = info.context
        issuer = context.resources.issuer
        try:
            proof = await credentials.check(
                context.read, context.resources.passwords, email=email, password=password
            )
            async with context.write() as db:
                session = await credentials.sign_in(db, proof, context.client, lifetime=issuer.ttl)
        except Rejected as why:
            return LoginPayload.rejected(why)
        token, claims = encode_token(
            context.resources.keys, issuer, customer_id=proof.customer.id, session_id=session.id
        )
        payload = LoginPayload.success(f"Welcome, {proof.customer.name}.")
        payload.token, payload.expires_at = token, claims.expires_at
        payload.customer = Customer.seen_by(Caller(proof.customer, session), proof.customer)
        return payload
