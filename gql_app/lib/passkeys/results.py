"""Results of a passkey's two ceremonies: registration and authentication."""

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
    """Whether it is backed up, so that other devices may have it."""
    transports: tuple[str, ...]
    aaguid: str
    """The model of the authenticator as a UUID, of zeros if it is not known."""


class Asserted(NamedTuple):
    """What a passkey proved."""

    sign_count: int
    """To be stored instead of the last one."""
    user_verified: bool
