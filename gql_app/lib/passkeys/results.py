"""Results of a passkey's two ceremonies, registration and authentication: or why it is refused."""

from typing import ClassVar, NamedTuple


class Registered(NamedTuple):
    """A new passkey, to be stored."""

    credential_id: str
    """In canonical base64url."""
    public_key: bytes
    """In COSE's form (RFC 9052 section 7)."""
    sign_count: int
    user_verified: bool
    transports: tuple[str, ...]
    aaguid: str
    """The model of the authenticator as a UUID, of zeros if it is not known."""


class Asserted(NamedTuple):
    """What a passkey proved."""

    sign_count: int
    """To be compared with the last one, and stored instead."""
    user_verified: bool


class InvalidPasskey(Exception):
    """What was sent as a passkey is malformed, or does not prove what it should.

    The cause says what is wrong, in the words of a library, for a log.
    """

    message: ClassVar = "This passkey can't be verified. Try again."

    def __init__(self) -> None:
        super().__init__(self.message)
