"""The key ring: where its keys are stored, which one signs, and how it changes while in use."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final, TypeAlias, TypeVar

import jwt

from gql_app.lib import atomic_files, clock
from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring.keys import (
    SECRET_KEY,
    Key,
    SigningKey,
    hmac_key,
    public_jwk,
    read_key,
    verifying_key,
)
from gql_app.lib.keyring.manifest import NAME, Manifest, read_manifest

INTERVAL: Final = 1.0
"""Seconds between two checks of the folder, at least."""
FALLBACK: Final = f"{SECRET_KEY}_FALLBACK"
NO_FOLDER: Final = (
    "GQL_APP_KEYS_DIR: is not set; make a folder that only the server's account may read, "
    "and set it for every process"
)

Fingerprint: TypeAlias = frozenset[tuple[str, int, int, int, int]]
Place: TypeAlias = Path | str
"""The file, or else the variable, that holds a key."""
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The keys in use: one signs, and a token is verified by the key that its header names."""

    signing: SigningKey
    keys: Sequence[Key]
    """All keys that verify, including the signing one; their ids are unique."""
    pepper: bytes
    """The secret from which others are derived; it stays when the signing key changes."""

    def find(self, key_id: str) -> Key | None:
        """Return the key that a token's header names, None if it is unknown or has expired."""
        return next((key for key in self.keys if key.id == key_id and is_valid(key)), None)

    def published(self) -> list[dict[str, str]]:
        """Return the public keys of all keys that verify now as JWKs (RFC 7517 section 5), by id.

        An HS256 key has no public key.
        """
        return [
            {**public_jwk(key.verifier), "use": "sig", "alg": key.algorithm, "kid": key.id}
            for key in sorted(self.keys, key=lambda key: key.id)
            if not isinstance(key.verifier, bytes) and is_valid(key)
        ]

    def derive(self, purpose: str) -> bytes:
        """Return a secret for a purpose, the same for every process with this pepper."""
        return _derived(self.pepper, purpose)


def _derived(pepper: bytes, purpose: str) -> bytes:
    return hmac.digest(pepper, f"gql_app {purpose}".encode(), "sha256")


def unsigned_token(key: Key, payload: Mapping[str, object], *, typ: str) -> bytes:
    """Return a token's signing input: its header and payload (RFC 7515 section 5.1)."""
    header = {"alg": key.algorithm, "kid": key.id, "typ": typ}
    parts = (json.dumps(part, separators=(",", ":")).encode() for part in (header, payload))
    return b".".join(map(_base64url, parts))


def sign(key: SigningKey, unsigned: bytes) -> str:
    """Return a signed token in compact form, given its signing input."""
    return compact(unsigned, jwt.get_algorithm_by_name(key.algorithm).sign(unsigned, key.secret))


def verifies(key: Key, signed: bytes, signature: bytes) -> bool:
    """Return whether a signature of these bytes was made by a key."""
    return jwt.get_algorithm_by_name(key.algorithm).verify(signed, key.verifier, signature)


def compact(unsigned: bytes, signature: bytes) -> str:
    """Return a token in compact form (RFC 7515 section 3.1)."""
    return f"{unsigned.decode()}.{_base64url(signature).decode()}"


def _base64url(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


@dataclass(frozen=True, slots=True, repr=False)
class Scan:
    """The keys and faults of every place, as read at one time."""

    stored: Mapping[Place, Key]
    """Every key that could be read, the secret's first."""
    manifest: Manifest
    """The folder's manifest; an empty one if it can't be read."""
    unread: frozenset[Place] | None
    """The places whose key can't be read; None if the folder itself can't."""
    faults: Sequence[str]

    def keys(self) -> dict[str, Key]:
        """Return the keys by their ids. Raise CannotStart, with every fault."""
        if self.faults:
            raise CannotStart(self.faults)
        return _by_id(self.stored.values())


@dataclass(frozen=True, slots=True, repr=False)
class KeyStore:
    """The places where keys are stored; each call reads them again."""

    secret: bytes
    """Signs with HS256, unless the folder's manifest says otherwise."""
    origin: str = SECRET_KEY
    """The origin of the secret, for faults: a variable or a file."""
    fallback: bytes | None = None
    """Another secret, which verifies only."""
    folder: Path | None = None
    external: Sequence[Key] = ()
    """The public keys of external signers, which verify and are published."""

    def derived(self, purpose: str) -> Sequence[bytes]:
        """Return the secrets for a purpose: that of KeyRing.derive(), and that of the fallback."""
        return [_derived(each, purpose) for each in (self.secret, self.fallback) if each]

    def require_folder(self) -> Path:
        """Return the folder. Raise CannotStart, which says what to set."""
        if self.folder is None:
            raise CannotStart([NO_FOLDER])
        return self.folder

    def read(self) -> KeyRing:
        """Return the ring of the keys that are stored now. Raise CannotStart, with every fault."""
        return self.ring(self.scan())

    def ring(self, scan: Scan) -> KeyRing:
        """Return the ring of a scan. Raise CannotStart, with every fault."""
        keys = scan.keys()
        key_id = scan.manifest.signing or scan.stored[self.origin].id
        signing = keys.get(key_id)
        if isinstance(signing, SigningKey) and signing.not_after is None:
            return KeyRing(signing, tuple(keys.values()), self.secret)
        fault = "is not here" if signing is None else "is retired, or only its public half is here"
        remedy = "put its file back, or select another: keys promote"
        raise CannotStart(
            [f"{self.require_folder() / NAME}: the signing key {fault}: {key_id}; {remedy}"]
        )

    def scan(self) -> Scan:
        """Return the keys of every place, and the faults of each."""
        faults: list[str] = []

        def attempt(read: Callable[..., _Read], *arguments: object) -> _Read | None:
            try:
                return read(*arguments)
            except CannotStart as why:
                faults.extend(why.faults)
                return None

        manifest = None
        if self.folder:
            manifest = attempt(read_manifest, self.folder)
            attempt(atomic_files.require_private, self.folder)  # else any account could add a key
        manifest = manifest or Manifest()
        files = attempt(self._files)
        found: dict[Place, Key | None] = {self.origin: attempt(hmac_key, self.secret, self.origin)}
        if self.fallback:
            found[FALLBACK] = attempt(verifying_key, self.fallback, FALLBACK)
        found |= {file: attempt(read_key, file) for file in files or ()}
        found |= {f"the signer's {key.id}": key for key in self.external}
        stored = {
            place: replace(key, not_after=manifest.retired.get(key.id))
            for place, key in found.items()
            if key
        }
        unread = frozenset(place for place in found if place not in stored and _is_there(place))
        return Scan(stored, manifest, None if files is None else unread, faults)

    def fingerprint(self) -> Fingerprint:
        """Return a value that changes with any file of the folder, and with the folder's mode.

        Raise CannotStart.
        """
        folder = [self.folder] if self.folder else []
        return frozenset(map(_fingerprint_of, self._files(NAME) + folder))

    def _files(self, *others: str) -> list[Path]:
        """Return the key files, by name. Raise CannotStart if the folder is gone."""
        if self.folder is None:
            return []
        try:
            files = sorted(self.folder.iterdir())
        except OSError as error:
            raise CannotStart([f"{self.folder}: cannot be read: {error.strerror}"]) from None
        return [file for file in files if file.suffix == ".pem" or file.name in others]


class ReloadingKeyRing:
    """The ring of the files as they are; they are checked only when the ring is asked for."""

    def __init__(self, store: KeyStore, *, interval: float = INTERVAL) -> None:
        """Read the ring for the first time. Raise CannotStart."""
        # Only servers log: services that verify tokens do without it.
        from gql_app.lib.telemetry import get_logger  # noqa: PLC0415

        self._log = get_logger(__name__)
        self._store = store
        self._interval = interval
        self._fingerprint = store.fingerprint()
        scan = store.scan()
        self._ring, self._stored = store.ring(scan), scan.stored
        self._checked_at = time.monotonic()
        self._faults: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether the files were faulty at the last check."""
        return bool(self._faults)

    def get(self) -> KeyRing:
        """Return the ring. While the files are faulty, keys may be removed, and none is added."""
        if time.monotonic() - self._checked_at >= self._interval:
            self._reload_if_changed()
            self._checked_at = time.monotonic()
        return self._ring

    def _reload_if_changed(self) -> None:
        try:
            # Computed before reading, so that a change meanwhile is seen at the next check.
            fingerprint = self._store.fingerprint()
            if fingerprint != self._fingerprint:
                self._read()
                self._fingerprint = fingerprint
                self._log.info("The keys were read anew", signing=self._ring.signing.id)
        except CannotStart as why:
            if why.faults != self._faults:
                self._log.warning("The keys can't be read; none is added", faults=why.faults)
            self._faults = why.faults
        else:
            self._faults = ()

    def _read(self) -> None:
        """Read the ring; if the files are faulty, only drop removed keys, and raise CannotStart."""
        scan = self._store.scan()
        try:
            self._ring, self._stored = self._store.ring(scan), scan.stored
        except CannotStart:
            before = self._ring
            self._ring, self._stored = without_removed(before, self._stored, scan)
            if self._ring is not before:
                kept = [key.id for key in self._ring.keys]
                signing = self._ring.signing.id
                self._log.warning("Keys were taken away", verifying=kept, signing=signing)
            raise


def without_removed(
    ring: KeyRing, stored: Mapping[Place, Key], scan: Scan
) -> tuple[KeyRing, Mapping[Place, Key]]:
    """Return the ring without keys that were removed since, and the places of its keys.

    A key is removed when its last file is gone or holds another one; a file that can't be read
    still counts. A key that was retired meanwhile expires as the manifest has it, and one without
    its private key no longer signs. Nothing is added: no key, no private key, no lifetime.
    """
    unread = stored if scan.unread is None else scan.unread
    remaining = {place: key for place, key in stored.items() if place in unread}
    ids = {key.id for key in ring.keys}
    remaining |= {place: key for place, key in scan.stored.items() if key.id in ids}
    now = _by_id(remaining.values())
    kept = {key.id: _restricted(key, now[key.id], scan) for key in ring.keys if key.id in now}
    after = KeyRing(_signing(ring, scan, kept), tuple(kept.values()), ring.pepper)
    return (ring if after == ring else after), remaining


def _restricted(key: Key, now: Key, scan: Scan) -> Key:
    """Return a key without its private key if that is gone, and with its date of retirement."""
    kept = now if isinstance(key, SigningKey) and not isinstance(now, SigningKey) else key
    dates = [date for date in (key.not_after, scan.manifest.retired.get(key.id)) if date]
    return replace(kept, not_after=min(dates, default=None))


def _signing(ring: KeyRing, scan: Scan, kept: Mapping[str, Key]) -> SigningKey:
    """Return the key that signs: the manifest's, the one that signed before, or the secret.

    If none of these can, it is any that can; if none can, the one that signed before, whose tokens
    are refused once it is off the ring.
    """
    for key_id in (scan.manifest.signing, ring.signing.id, *kept):
        key = kept.get(key_id or "")
        if isinstance(key, SigningKey) and key.not_after is None:
            return key
    return ring.signing


def is_valid(key: Key) -> bool:
    """Return whether a key verifies now."""
    return key.not_after is None or clock.now() < key.not_after


def _by_id(keys: Iterable[Key]) -> dict[str, Key]:
    """Return keys by their ids; of several with the same id, the one that can sign."""
    found: dict[str, Key] = {}
    for key in keys:
        if not isinstance(found.get(key.id), SigningKey):
            found[key.id] = key
    return found


def _is_there(place: Place) -> bool:
    """Return whether a file exists, or can't be checked; a variable always exists."""
    try:
        return isinstance(place, str) or S_ISREG(place.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _fingerprint_of(file: Path) -> tuple[str, int, int, int, int]:
    try:
        now = file.stat()
    except OSError as error:
        return file.name, -(error.errno or 0), 0, 0, 0
    if S_ISDIR(now.st_mode):
        return file.name, now.st_ino, now.st_mode, 0, 0
    return file.name, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
