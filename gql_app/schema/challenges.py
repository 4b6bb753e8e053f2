"""Challenges: what a sign-in waits for that takes a second factor."""

from datetime import datetime
from typing import Self

import strawberry
from strawberry.scalars import JSON

from gql_app.accounts.challenges import Challenge
from gql_app.accounts.second_factors import SecondFactorMethod

strawberry.enum(SecondFactorMethod)


@strawberry.type
class SecondFactorChallenge:
    """What a sign-in waits for."""

    challenge: str
    methods: list[SecondFactorMethod]
    expires_at: datetime
    passkey_options: JSON | None = None

    @classmethod
    def of(cls, challenge: Challenge) -> Self:
        """Return what a client goes on with, by verifySecondFactor."""
        return cls(
            challenge=challenge.token,
            methods=list(challenge.offered),
            expires_at=challenge.expires_at,
        )
