"""Opaque tokens: 256 random bits, of which the database holds the digest."""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from typing import Final
from uuid import UUID

REFRESH: Final = "gar_"
"""The prefix of a refresh token, by which scanners recognise a leaked one."""
RESET: Final = "gap_"
"""The prefix of a token that resets a password."""
SECRET_BYTES: Final = 32

_SHAPE: Final = re.compile(r"[\w-]{43}", re.ASCII)


def new_refresh_token() -> str:
    """Return the first refresh token of a session."""
    return _spell(REFRESH, secrets.token_bytes(SECRET_BYTES))


def new_salt() -> str:
    """Return the 256 random bits that a refresh token's successor is derived from, in hex."""
    return secrets.token_hex(SECRET_BYTES)


def succeeding(pepper: bytes, token: str, salt: str) -> str:
    """Return the one successor of a refresh token.

    Requests that race with one token get the same successor, so that the family can't fork. It
    takes the token, its salt from the database and the pepper to derive it.
    """
    message = bytes.fromhex(salt) + token.encode()
    return _spell(REFRESH, hmac.digest(pepper, message, "sha256"))


def reset_token(pepper: bytes, letter_id: UUID) -> str:
    """Return the token of one letter, the same each time the letter is tried."""
    return _spell(RESET, hmac.digest(pepper, letter_id.bytes, "sha256"))


def digest(prefix: str, token: str) -> str | None:
    """Return a token's digest (SHA-256), None if it has not the form of this kind."""
    if not token.startswith(prefix) or not _SHAPE.fullmatch(token.removeprefix(prefix)):
        return None
    return hashlib.sha256(token.encode()).hexdigest()


def _spell(prefix: str, raw: bytes) -> str:
    return prefix + urlsafe_b64encode(raw).rstrip(b"=").decode()
