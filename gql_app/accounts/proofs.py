"""Proofs of identity: by which methods, how long ago, and whether that is enough.

Methods have the names of RFC 8176 (`amr`), except for two of ours: a link in a letter, and the
proof of a feature, such as another provider. A session has them as one text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from gql_app.accounts.permissions import ADMIN
from gql_app.accounts.records import CustomerRecord, SessionRecord
from gql_app.lib import clock
from gql_app.lib.setting_types import SecondFactorPolicy

PASSWORD: Final = "pwd"  # noqa: S105 — a method
LINK: Final = "email"
ELSEWHERE: Final = "provider"
CODE: Final = "otp"
"""A code of an authenticator app, or a recovery code."""
PASSKEY: Final = "pop"
USER_VERIFIED: Final = "user"
"""In addition to PASSKEY: the device has verified its user."""
TWO_FACTORS: Final = "mfa"
FACTORS: Final = frozenset({CODE, PASSKEY})


class ProofMethod(StrEnum):
    """The methods by which a signed-in customer may prove their identity again."""

    PASSWORD = "PASSWORD"  # noqa: S105 — a name
    CODE = "CODE"
    RECOVERY_CODE = "RECOVERY_CODE"
    PASSKEY = "PASSKEY"
    SIGN_IN = "SIGN_IN"
    """By signing in again, where no other method is available."""


class Proof(NamedTuple):
    """The methods of a sign-in's proof of identity, and the service that its tokens are for."""

    methods: str
    audience: str | None = None


@dataclass(frozen=True, slots=True)
class ProofPolicy:
    """The rules of proofs: who must have a second factor, and the age and methods of a proof."""

    second_factor: SecondFactorPolicy = "off"
    seconds: int = 600
    passkeys: bool = True
    """Whether passkeys are accepted."""

    def offered(self, methods: Sequence[str]) -> list[str]:
        """Return those of some methods by which a customer may prove their identity again.

        That is by signing in again where none of them is accepted.
        """
        accepted = [each for each in methods if self.passkeys or each != ProofMethod.PASSKEY]
        return accepted or [ProofMethod.SIGN_IN.value]

    def must_enrol(self, customer: CustomerRecord) -> bool:
        """Return whether a customer must set up a second factor before anything else."""
        return self.requires(customer.roles) and customer.factors_version is None

    def requires(self, roles: str) -> bool:
        """Return whether a customer with `roles`, as in CustomerRecord, needs a second factor."""
        if self.second_factor == "admins":
            return ADMIN in roles.split()
        return self.second_factor == "everyone"

    def is_recent(self, customer: CustomerRecord, session: SessionRecord) -> bool:
        """Return whether a customer's proof of identity in a session is recent enough.

        If they have a second factor, it must be by that. It always is recent while they must enrol
        one, and never in a session of a feature's own credentials.
        """
        if session.methods == "":
            return False
        if self.must_enrol(customer):
            return True
        if customer.factors_version and FACTORS.isdisjoint((session.methods or "").split()):
            return False
        return clock.now() - session.authenticated_at <= timedelta(seconds=self.seconds)
