"""What a passkey's two ceremonies lead to: registration and authentication."""

from typing import NamedTuple


class Registered(NamedTuple):
    """A new passkey, to be stored."""

    credential_id: str
    """In canonical base64url."""
    public_key: bytes
    """In COSE's form (RFC 9052 section 7)."""
    sign_count: int
    user_verified: bool
    backed_up: bool
    """Whether it is on more than this device."""
    transports: tuple[str, ...]
    aaguid: str
    """The model of the authenticator as a UUID, of zeros if it is not said."""


class Asserted(NamedTuple):
    """What a passkey proved."""

    sign_count: int
    """To be stored in the place of the last one."""
    user_verified: bool
