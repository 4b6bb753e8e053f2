"""A relying party, and a passkey registered with it."""

from typing import Any, Final, NamedTuple, Unpack

from webauthn.helpers import encode_cbor

from gql_app.lib.passkeys import Asserted, CredentialDescriptor, Registered, RelyingParty
from tests.authenticators import Overrides, SoftwareAuthenticator

ORIGIN: Final = "https://www.example.com"
PARTY: Final = RelyingParty("example.com", "Our Shop", [ORIGIN, "https://example.com:8443"])
CHALLENGE: Final = b"c" * 56
USER: Final = b"u" * 32


def creation(challenge: bytes = CHALLENGE) -> dict[str, Any]:
    """Return options to create a passkey of Ada."""
    return PARTY.creation_options(
        challenge=challenge, user_id=USER, user_name="ada@example.com", display_name="Ada"
    )


def request(challenge: bytes = CHALLENGE) -> dict[str, Any]:
    """Return options to use any passkey."""
    return PARTY.request_options(challenge=challenge, user_verification="preferred")


class Known(NamedTuple):
    """A registered passkey, and its authenticator."""

    authenticator: SoftwareAuthenticator
    registered: Registered

    @property
    def descriptor(self) -> CredentialDescriptor:
        """The passkey's descriptor for options."""
        return CredentialDescriptor(self.registered.credential_id, self.registered.transports)

    def answer(self, **wrong: Unpack[Overrides]) -> dict[str, Any]:
        """Return the browser's response to a request for the passkey."""
        return self.authenticator.get(request(), **wrong)

    def proven(
        self,
        credential: dict[str, Any],
        *,
        require_user_verification: bool = False,
    ) -> Asserted:
        """Return the result of verifying a response."""
        return PARTY.asserted(
            credential,
            challenge=CHALLENGE,
            public_key=self.registered.public_key,
            require_user_verification=require_user_verification,
        )


def known(algorithm: int = -7) -> Known:
    """Register a new passkey."""
    authenticator = SoftwareAuthenticator(ORIGIN, algorithm=algorithm)
    credential = authenticator.create(creation())
    return Known(authenticator, PARTY.registered(credential, challenge=CHALLENGE))


def shared_within_itself(levels: int) -> bytes:
    """Return about a hundred bytes of CBOR with shared references: re-encoded, about 2**levels."""
    inner = b"\xd8\x1c\x81\x00"
    for level in range(levels, 0, -1):
        inner = b"\xd8\x1c\x82" + inner + b"\xd8\x1d" + encode_cbor(level)
    return inner
