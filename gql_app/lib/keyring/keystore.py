"""Where keys are stored: the secrets of the settings, and a folder of key files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final, TypeAlias, TypeVar

from gql_app.lib import atomic_files
from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring.keyfiles import read_key
from gql_app.lib.keyring.keys import SECRET_KEY, Key, KeyRing, SigningKey, hmac_key
from gql_app.lib.keyring.manifest import NAME, Manifest, read_manifest

FALLBACK: Final = f"{SECRET_KEY}_FALLBACK"
NO_FOLDER: Final = (
    "GQL_APP_KEYS_DIR: is not set; make a folder that only the server's account may read, "
    "and set it for every process"
)

Fingerprint: TypeAlias = frozenset[tuple[str, int, int, int, int]]
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, repr=False)
class StoredKey:
    """A key, and the file or else the variable that holds it."""

    key: Key
    place: Path | str


@dataclass(frozen=True, slots=True, repr=False)
class Scan:
    """The keys and faults of every place, as one look found them."""

    stored: Sequence[StoredKey]
    """Every key that could be read, the secret's first."""
    manifest: Manifest
    """The folder's manifest; an empty one, if it can't be read."""
    unread: frozenset[Path | str] | None
    """The places whose key can't be read; None, if the folder itself can't."""
    faults: Sequence[str]

    def may_contain(self, place: Path | str) -> bool:
        """Return whether a place may hold the key that it stored, though it can't be read now."""
        return self.unread is None or place in self.unread


@dataclass(frozen=True, slots=True, repr=False)
class KeyStore:
    """The places where keys are stored; each call reads them anew."""

    secret: bytes
    """Signs with HS256, unless the folder's manifest says otherwise."""
    origin: str = SECRET_KEY
    """Where the secret is from."""
    fallback: bytes | None = None
    """Another secret, which verifies only."""
    folder: Path | None = None

    def require_folder(self) -> Path:
        """Return the folder. Raise CannotStart, which says what to set."""
        if self.folder is None:
            raise CannotStart([NO_FOLDER])
        return self.folder

    def read(self) -> KeyRing:
        """Return the ring of the keys that are there now. Raise CannotStart, with every fault."""
        return self.ring(self.scan())

    def ring(self, scan: Scan) -> KeyRing:
        """Return the ring of a scan. Raise CannotStart, with every fault."""
        if scan.faults:
            raise CannotStart(scan.faults)
        keys = by_id(scan.stored)
        signing = keys.get(scan.manifest.signing or scan.stored[0].key.id)
        if isinstance(signing, SigningKey) and signing.not_after is None:
            return KeyRing(signing, tuple(keys.values()), self.secret)
        fault = "is not here" if signing is None else "is retired, or only its public half is here"
        raise CannotStart([f"{self.require_folder() / NAME}: the signing key {fault}"])

    def read_all(self) -> tuple[Sequence[StoredKey], Manifest]:
        """Return every key, the secret's first, and the manifest.

        Raise CannotStart, with every fault.
        """
        scan = self.scan()
        if scan.faults:
            raise CannotStart(scan.faults)
        return scan.stored, scan.manifest

    def scan(self) -> Scan:
        """Return the keys of every place, and the faults of each."""
        faults: list[str] = []
        manifest = _collect(faults, partial(_manifest, self.folder), Manifest())
        _collect(faults, partial(_require_private, self.folder), None)
        files: list[Path] | None = _collect(faults, self._files, None)
        places: list[tuple[Path | str, Callable[[], Key]]] = [
            (self.origin, partial(hmac_key, self.secret, self.origin)),
            *([(FALLBACK, partial(_verifying, self.fallback))] if self.fallback else []),
            *((file, partial(read_key, file)) for file in files or ()),
        ]
        keys = [(place, _collect(faults, read, None)) for place, read in places]
        stored = [
            StoredKey(replace(key, not_after=manifest.retired.get(key.id)), place)
            for place, key in keys
            if key is not None
        ]
        unread = frozenset(place for place, key in keys if key is None and _is_there(place))
        return Scan(stored, manifest, None if files is None else unread, faults)

    def fingerprint(self) -> Fingerprint:
        """Return what changes with every file of the folder, and with who may write to it.

        Raise CannotStart.
        """
        folder = [self.folder] if self.folder else []
        return frozenset(map(_fingerprint_of, self._files(NAME) + folder))

    def _files(self, *besides: str) -> list[Path]:
        """Return the key files, by name. Raise CannotStart if the folder is gone."""
        if self.folder is None:
            return []
        try:
            files = sorted(self.folder.iterdir())
        except OSError as error:
            raise CannotStart([f"{self.folder}: cannot be read: {error.strerror}"]) from None
        return [file for file in files if file.suffix == ".pem" or file.name in besides]


def by_id(stored: Sequence[StoredKey]) -> dict[str, Key]:
    """Return the keys by their ids, and of several of one id the one that can sign."""
    keys: dict[str, Key] = {}
    for each in stored:
        if not isinstance(keys.get(each.key.id), SigningKey):
            keys[each.key.id] = each.key
    return keys


def _manifest(folder: Path | None) -> Manifest:
    return Manifest() if folder is None else read_manifest(folder)


def _require_private(folder: Path | None) -> None:
    """Raise CannotStart for a folder to which anybody on the machine could add a key."""
    if folder is not None:
        atomic_files.require_private(folder)


def _verifying(secret: bytes) -> Key:
    key = hmac_key(secret, FALLBACK)
    return Key(id=key.id, algorithm=key.algorithm, verifier=key.verifier)


def _collect(faults: list[str], read: Callable[[], _Read], otherwise: _Read) -> _Read:
    """Return what is read, or the default where its faults were added to the list."""
    try:
        return read()
    except CannotStart as why:
        faults += why.faults
        return otherwise


def _is_there(place: Path | str) -> bool:
    """Return whether a file is still there, also if it can't be looked at; a variable always is."""
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
