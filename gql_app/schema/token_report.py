"""Tokens: what became of the one that came with a request."""

from datetime import datetime
from typing import Self

import strawberry

from gql_app.errors import TokenExpired, TokenReason, Unauthenticated
from gql_app.schema.context import Info
from gql_app.security.tokens import Claims

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


@strawberry.type
class TokenQuery:
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
