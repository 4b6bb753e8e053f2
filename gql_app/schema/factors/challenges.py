"""Second factors, and the challenge of a sign-in that requires one."""

from dataclasses import field
from datetime import datetime
from typing import Final, Self

import strawberry
from strawberry.scalars import JSON

from gql_app.accounts.factors.challenges import Challenge
from gql_app.accounts.factors.second_factors import SecondFactorMethod, SecondFactorRecord
from gql_app.factors.passkeys import Passkeys
from gql_app.schema.types import Node

strawberry.enum(SecondFactorMethod)


@strawberry.type
class SecondFactor(Node):
    """A second factor in force."""

    method: SecondFactorMethod
    name: str | None
    created_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, row: SecondFactorRecord) -> Self:
        """Return a second factor, for its customer or a caller who may see private fields."""
        return cls(
            id=strawberry.ID(str(row.id)),
            method=SecondFactorMethod(row.method),
            name=row.name,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
        )


@strawberry.type
class SecondFactorChallenge:
    """The challenge of a sign-in that waits for a second factor."""

    challenge: str = field(repr=False)
    methods: list[SecondFactorMethod]
    expires_at: datetime
    passkey_options: JSON | None = None

    @classmethod
    def of(cls, challenge: Challenge, passkeys: Passkeys | None) -> Self:
        """Return the challenge that the client answers by verifySecondFactor."""
        by = [each for each in challenge.offered if passkeys or each is not _PASSKEY]
        options = None
        if passkeys and _PASSKEY in by:
            options = JSON(passkeys.second_factor_options(challenge))
        return cls(
            challenge=challenge.token,
            methods=by,
            expires_at=challenge.expires_at,
            passkey_options=options,
        )


_PASSKEY: Final = SecondFactorMethod.PASSKEY
