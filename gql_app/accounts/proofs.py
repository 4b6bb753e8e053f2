"""Proofs: how somebody proved who they are, how long ago, and whether that is enough.

Methods have the names of RFC 8176 (`amr`), but for two of ours: a link in a letter, and what a
feature knows, such as another provider. A session has them as one text.
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
"""A code of an app, or a recovery code."""
PASSKEY: Final = "pop"
USER_VERIFIED: Final = "user"
"""Beside a passkey: the device has verified its user."""
TWO_FACTORS: Final = "mfa"
FACTORS: Final = frozenset({CODE, PASSKEY})
_FIRST: Final = frozenset({PASSWORD, LINK, ELSEWHERE})
_ORDER: Final = (PASSWORD, LINK, ELSEWHERE, CODE, PASSKEY, USER_VERIFIED, TWO_FACTORS)


class ProofMethod(StrEnum):
    """By what somebody who is signed in may prove who they are."""

    PASSWORD = "PASSWORD"  # noqa: S105 — a name
    CODE = "CODE"
    RECOVERY_CODE = "RECOVERY_CODE"
    PASSKEY = "PASSKEY"
    SIGN_IN = "SIGN_IN"
    """By signing in anew: nothing else is left."""


class Proof(NamedTuple):
    """How somebody who signs in proved who they are, and for which service their tokens are."""

    methods: str
    audience: str | None = None


def combined(before: str | None, *methods: str) -> str:
    """Return the methods of a session that was proven by more of them."""
    known = {*(before or "").split(), *methods}
    if known & FACTORS and known & _FIRST:
        known.add(TWO_FACTORS)
    return " ".join(method for method in _ORDER if method in known)


def without_factors(before: str | None) -> str:
    """Return the methods of a session but for its factors: those may be another's by now."""
    return " ".join(method for method in (before or "").split() if method in _FIRST)


def is_strong(methods: str | None) -> bool:
    """Return whether two factors were proven, or a passkey whose device has verified its user."""
    known = {*(methods or "").split()}
    return TWO_FACTORS in known or {PASSKEY, USER_VERIFIED} <= known


def claims(session: SessionRecord) -> dict[str, object]:
    """Return what tokens say of a session's proof (RFC 9068 section 2.2.1).

    Other services read it; here the session's row is judged.
    """
    methods = session.methods or ""
    return {
        "auth_time": int(session.proven_at.timestamp()),
        "amr": methods.split(),
        "acr": "2" if is_strong(methods) else "1",
    }


@dataclass(frozen=True, slots=True)
class ProofPolicy:
    """The rules of proofs: of whom a second factor is asked, how old one may be, and by what."""

    second_factor: SecondFactorPolicy = "off"
    seconds: int = 600
    passkeys: bool = True
    """Whether passkeys are judged."""

    def offered(self, methods: Sequence[str]) -> list[str]:
        """Return those of some methods by which somebody may prove who they are.

        That is by signing in anew where none of them is judged.
        """
        judged = [each for each in methods if self.passkeys or each != ProofMethod.PASSKEY]
        return judged or [ProofMethod.SIGN_IN.value]

    def must_enrol(self, customer: CustomerRecord) -> bool:
        """Return whether a customer may only set up a second factor: they must have one."""
        return self.requires(customer.roles) and not customer.has_second_factor

    def requires(self, roles: str) -> bool:
        """Return whether who has roles, as CustomerRecord has them, must have a second factor."""
        if self.second_factor == "admins":
            return ADMIN in roles.split()
        return self.second_factor == "everyone"

    def is_recent(self, customer: CustomerRecord, session: SessionRecord) -> bool:
        """Return whether a customer proved in a session lately who they are.

        Who has a second factor proved it by that. A session that is held counts as one that did,
        and one of a feature's own credentials never does.
        """
        if self.must_enrol(customer):
            return True
        if session.methods == "":
            return False
        if customer.has_second_factor and FACTORS.isdisjoint((session.methods or "").split()):
            return False
        return clock.now() - session.proven_at <= timedelta(seconds=self.seconds)
