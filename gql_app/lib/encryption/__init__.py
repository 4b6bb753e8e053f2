"""Encryption of secrets at rest, under keys that can be rotated."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["CannotDecrypt", "Encryption"]

FERNET_KEY: Final = 32
"""Bytes of a key for Fernet."""
KEY_ID: Final = 8
"""Bytes of the id of a key."""


class CannotDecrypt(Exception):
    """A text is damaged, or was encrypted for another context or under an unknown key."""


class Encryption:
    """Encrypts under the first of some keys, and decrypts under any of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take secrets of any length. Raise ValueError if there is none."""
        if not keys:
            message = "there is no key to encrypt with"
            raise ValueError(message)
        self._keys: Final = tuple(keys)
        self.key_ids: Final = tuple(map(_key_id, keys))
        """Ids of all keys, derived from them, which reveal nothing."""

    @property
    def key_id(self) -> str:
        """The id of the key that encrypts."""
        return self.key_ids[0]

    def encrypt(self, secret: bytes, *, context: bytes) -> str:
        """Return a secret encrypted under the first key, as ASCII text that is safe in a URL.

        Decrypting needs the same context, so that the text is bound to its place.
        """
        return self._fernet(context).encrypt(secret).decode()

    def decrypt(self, text: str, *, context: bytes) -> bytes:
        """Return the decrypted secret. Raise CannotDecrypt."""
        try:
            return self._fernet(context).decrypt(text)
        except (InvalidToken, ValueError):
            raise CannotDecrypt from None

    def renewed(self, text: str, *, context: bytes) -> str:
        """Return a text encrypted again, under the first key. Raise CannotDecrypt."""
        return self.encrypt(self.decrypt(text, context=context), context=context)

    def _fernet(self, context: bytes) -> MultiFernet:
        """Return the derived keys of a context."""
        keys = (_derived(key, b"encryption of " + context, FERNET_KEY) for key in self._keys)
        return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])


def _key_id(key: bytes) -> str:
    return _derived(key, b"id", KEY_ID).hex()


def _derived(key: bytes, info: bytes, length: int) -> bytes:
    """Return bytes derived from a key and an info by HKDF (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(key)
