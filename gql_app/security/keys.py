"""The key ring: which key signs, and which key a token's `kid` means."""

import hashlib
import hmac
import os
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError

from gql_app.errors import CannotStart

KEY_ID_BYTES: Final = 9


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A secret with the one algorithm it may be used with (RFC 8725 section 3.1)."""

    id: str
    secret: bytes
    algorithm: str


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The keys in use: one signs, and a token is verified by the one it names."""

    signing: Key

    @classmethod
    def of_secret(cls, secret: bytes) -> Self:
        """Make the ring of one HS256 key, which is the very bytes of the secret.

        Raises CannotStart if the bytes are a PEM or SSH key, which HMAC must not use.
        """
        try:
            HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
        except InvalidKeyError:
            raise CannotStart(
                ["GQL_APP_SECRET_KEY: must be random bytes, not a PEM or SSH key"]
            ) from None
        return cls(signing=Key(id=_key_id(secret), secret=secret, algorithm="HS256"))

    def find(self, key_id: str) -> Key | None:
        """Find the key that a token's header names, if it is on this ring."""
        return self.signing if key_id == self.signing.id else None

    def derive(self, purpose: str) -> bytes:
        """Derive a secret for one purpose, which every process with this ring shares."""
        label = f"gql_app {purpose}".encode()
        return hmac.new(self.signing.secret, label, hashlib.sha256).digest()


def kept_secret(file: Path) -> bytes:
    """Read the secret kept in a file of mode 0600, which is made if there is none.

    Processes that start together agree on one secret: the first to link its file wins.
    Raises CannotStart if the file can't be made or read.
    """
    try:
        if not file.exists():
            _keep_new_secret(file)
        return file.read_bytes().strip()
    except OSError as error:
        raise CannotStart([f"{file}: cannot keep the secret key here: {error.strerror}"]) from None


def _keep_new_secret(file: Path) -> None:
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_urlsafe(48) + "\n")
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _key_id(secret: bytes) -> str:
    """Derive a name that changes with the key and tells nothing of it (HMAC is one-way)."""
    digest = hmac.new(secret, b"gql_app key id", hashlib.sha256).digest()
    return urlsafe_b64encode(digest[:KEY_ID_BYTES]).decode()
