"""Opaque tokens: 256 bits that mean something only to the database, which has their digest."""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from typing import Final
from uuid import UUID

REFRESH: Final = "gar_"
"""What a refresh token begins with, so that a leaked one can be recognised."""
RESET: Final = "gap_"
"""What a token to reset a password begins with."""
SECRET_BYTES: Final = 32

_SHAPE: Final = re.compile(r"[\w-]{43}", re.ASCII)


def new_refresh_token() -> str:
    """Make the first refresh token of a session."""
    return _spell(REFRESH, secrets.token_bytes(SECRET_BYTES))


def new_salt() -> str:
    """Draw the 256 random bits that a refresh token's successor is made of."""
    return secrets.token_hex(SECRET_BYTES)


def succeeding(pepper: bytes, token: str, salt: str) -> str:
    """Make a refresh token's one successor.

    Callers that race with one token are answered the same successor, so the family can't
    fork; nobody tells it without the token, its salt from the database and our pepper.
    """
    message = bytes.fromhex(salt) + token.encode()
    return _spell(REFRESH, hmac.digest(pepper, message, "sha256"))


def reset_token(pepper: bytes, letter_id: UUID) -> str:
    """Make the token that one letter carries, the same each time the letter is tried."""
    return _spell(RESET, hmac.digest(pepper, letter_id.bytes, "sha256"))


def digest(prefix: str, token: str) -> str | None:
    """Digest a token for the database (SHA-256), or None if it isn't one of this kind."""
    if not token.startswith(prefix) or not _SHAPE.fullmatch(token.removeprefix(prefix)):
        return None
    return hashlib.sha256(token.encode()).hexdigest()


def _spell(prefix: str, raw: bytes) -> str:
    return prefix + urlsafe_b64encode(raw).rstrip(b"=").decode()
