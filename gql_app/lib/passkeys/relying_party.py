"""The relying party: the site that asks for passkeys, and the origins of its pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from gql_app.lib.passkeys.challenges import LIFETIME
from gql_app.lib.passkeys.credentials import ALGORITHMS, PUBLIC_KEY, base64url
from gql_app.lib.passkeys.results import Asserted, Registered

TIMEOUT: Final = int(LIFETIME.total_seconds() * 1000)
"""Milliseconds that a browser waits for a person."""

UserVerification = Literal["required", "preferred"]


class CredentialDescriptor(NamedTuple):
    """A stored passkey, for a browser to look for."""

    id: str
    """In canonical base64url."""
    transports: Sequence[str] = ()

    def to_json(self) -> dict[str, object]:
        """Return its PublicKeyCredentialDescriptorJSON (WebAuthn section 5.8.3)."""
        return {"type": PUBLIC_KEY, "id": self.id, "transports": list(self.transports)}


@dataclass(frozen=True)
class RelyingParty:
    """The site that asks for passkeys: a domain, and the origins of its pages."""

    id: str
    """The domain that passkeys are of, such as example.com; it can't change without losing them."""
    name: str
    origins: Sequence[str]
    """Origins such as https://www.example.com, each written as browsers do."""

    def creation_options(
        self,
        *,
        challenge: bytes,
        user_id: bytes,
        user_name: str,
        display_name: str,
        exclude: Sequence[CredentialDescriptor] = (),
    ) -> dict[str, object]:
        """Return the options for PublicKeyCredential.parseCreationOptionsFromJSON (section 5.4).

        The passkey can sign in alone: the authenticator stores it with the user's id, which should
        be random and have at most 64 bytes. An authenticator that has one of `exclude` makes none.
        """
        return {
            "rp": {"id": self.id, "name": self.name},
            "user": {
                "id": base64url(user_id),
                "name": user_name,
                "displayName": display_name,
            },
            "challenge": base64url(challenge),
            "pubKeyCredParams": [{"type": PUBLIC_KEY, "alg": each} for each in ALGORITHMS],
            "timeout": TIMEOUT,
            "excludeCredentials": [each.to_json() for each in exclude],
            "authenticatorSelection": {
                "residentKey": "required",
                "requireResidentKey": True,
                "userVerification": "preferred",
            },
            "attestation": "none",
        }

    def request_options(
        self,
        *,
        challenge: bytes,
        user_verification: UserVerification,
        allow: Sequence[CredentialDescriptor] = (),
    ) -> dict[str, object]:
        """Return the options for PublicKeyCredential.parseRequestOptionsFromJSON (section 5.5).

        Without `allow`, the browser offers all that it knows of this domain.
        """
        return {
            "challenge": base64url(challenge),
            "timeout": TIMEOUT,
            "rpId": self.id,
            "allowCredentials": [each.to_json() for each in allow],
            "userVerification": user_verification,
        }

    def registered(self, credential: Mapping[str, object], *, challenge: bytes) -> Registered:
        """Return the passkey that a browser made (section 7.1). Raise InvalidPasskey."""
        from gql_app.lib.passkeys import verification  # noqa: PLC0415 — many servers have no passkeys

        return verification.registered(credential, challenge, self.id, self.origins)

    def asserted(
        self,
        credential: Mapping[str, object],
        *,
        challenge: bytes,
        public_key: bytes,
        require_user_verification: bool,
    ) -> Asserted:
        """Return what a passkey proved (section 7.2). Raise InvalidPasskey.

        The caller refuses a counter that is not greater than the stored one, unless both are zero:
        two devices may have the same key (section 6.1.1).
        """
        from gql_app.lib.passkeys import verification  # noqa: PLC0415 — as above

        return verification.asserted(
            credential,
            challenge,
            self.id,
            self.origins,
            public_key=public_key,
            require_user_verification=require_user_verification,
        )
