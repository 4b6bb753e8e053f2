"""Passkeys (WebAuthn): options for browsers, and the verification of their responses."""

from gql_app.lib.passkeys.challenges import Challenges
from gql_app.lib.passkeys.credentials import (
    base64url,
    challenge_of,
    credential_id_of,
    user_handle_of,
)
from gql_app.lib.passkeys.origins import is_domain, may_use, origin_of, shared_domain
from gql_app.lib.passkeys.relying_party import CredentialDescriptor, RelyingParty
from gql_app.lib.passkeys.results import Asserted, InvalidPasskey, Registered

__all__ = [
    "Asserted",
    "Challenges",
    "CredentialDescriptor",
    "InvalidPasskey",
    "Registered",
    "RelyingParty",
    "base64url",
    "challenge_of",
    "credential_id_of",
    "is_domain",
    "may_use",
    "origin_of",
    "shared_domain",
    "user_handle_of",
]
