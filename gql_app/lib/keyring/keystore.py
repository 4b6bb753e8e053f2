"""Where keys are kept: the secrets of the settings, and a folder of key files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final, TypeAlias, TypeVar

from gql_app.errors import CannotStart
from gql_app.lib.keyring import atomic_files
from gql_app.lib.keyring.keyfiles import read_key
from gql_app.lib.keyring.keys import SECRET_KEY, Key, KeyRing, SigningKey, hmac_key
from gql_app.lib.keyring.manifest import NAME, Manifest, read_manifest

FALLBACK: Final = f"{SECRET_KEY}_FALLBACK"
NO_FOLDER: Final = (
    "GQL_APP_KEYS_DIR: is not set; make a folder that only the server's account may read, "
    "and set it for every process"
)

Stamp: TypeAlias = frozenset[tuple[str, int, int, int, int]]
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, repr=False)
class Held:
    """A key, and the file or else the variable that holds it."""

    key: Key
    place: Path | str


@dataclass(frozen=True, slots=True, repr=False)
class Survey:
    """What one look at every place found."""

    held: Sequence[Held]
    """Every key that could be read, the secret's first."""
    decided: Manifest
    """What the manifest says; nothing, if it can't be read."""
    unread: frozenset[Path | str] | None
    """The places that are there, but whose key can't be read; None, if there is no telling."""
    faults: Sequence[str]

    def may_hold(self, place: Path | str) -> bool:
        """Return whether a place may hold the key that it held, though it can't be read now."""
        return self.unread is None or place in self.unread


@dataclass(frozen=True, slots=True, repr=False)
class KeyStore:
    """The places where keys are; each look at them is a new one."""

    secret: bytes
    """Signs with HS256, unless the folder's manifest says otherwise."""
    origin: str = SECRET_KEY
    """Where the secret is from."""
    fallback: bytes | None = None
    """Another secret, which verifies only."""
    folder: Path | None = None

    def require_folder(self) -> Path:
        """Tell the folder. Raises CannotStart, which says what to set."""
        if self.folder is None:
            raise CannotStart([NO_FOLDER])
        return self.folder

    def read(self) -> KeyRing:
        """Make a ring of what is there now. Raises CannotStart, with every fault."""
        return self.ring(self.survey())

    def ring(self, found: Survey) -> KeyRing:
        """Make a ring of what was found. Raises CannotStart, with every fault."""
        if found.faults:
            raise CannotStart(found.faults)
        keys = by_id(found.held)
        signing = keys.get(found.decided.signing or found.held[0].key.id)
        if isinstance(signing, SigningKey) and signing.not_after is None:
            return KeyRing(signing, tuple(keys.values()), self.secret)
        fault = "is not here" if signing is None else "is retired, or only its public half is here"
        raise CannotStart([f"{self.require_folder() / NAME}: the signing key {fault}"])

    def look(self) -> tuple[Sequence[Held], Manifest]:
        """Tell every key, the secret's first, and what is decided about them.

        Raises CannotStart, with every fault.
        """
        found = self.survey()
        if found.faults:
            raise CannotStart(found.faults)
        return found.held, found.decided

    def survey(self) -> Survey:
        """Look at every place, and note the faults of each."""
        faults: list[str] = []
        decided = _told(faults, partial(_manifest, self.folder), Manifest())
        _told(faults, partial(_require_kept, self.folder), None)
        files: list[Path] | None = _told(faults, self._files, None)
        places: list[tuple[Path | str, Callable[[], Key]]] = [
            (self.origin, partial(hmac_key, self.secret, self.origin)),
            *([(FALLBACK, partial(_verifying, self.fallback))] if self.fallback else []),
            *((file, partial(read_key, file)) for file in files or ()),
        ]
        found = [(place, _told(faults, read, None)) for place, read in places]
        held = [
            Held(replace(key, not_after=decided.retired.get(key.id)), place)
            for place, key in found
            if key is not None
        ]
        unread = frozenset(place for place, key in found if key is None and _is_there(place))
        return Survey(held, decided, None if files is None else unread, faults)

    def stamp(self) -> Stamp:
        """Tell what is another one whenever a file of the folder is, or who may write to it.

        Raises CannotStart.
        """
        folder = [self.folder] if self.folder else []
        return frozenset(map(_stamped, self._files(NAME) + folder))

    def _files(self, *besides: str) -> list[Path]:
        """List the key files, by name; a folder that is gone is a fault, not an empty one."""
        if self.folder is None:
            return []
        try:
            files = sorted(self.folder.iterdir())
        except OSError as error:
            raise CannotStart([f"{self.folder}: cannot be read: {error.strerror}"]) from None
        return [file for file in files if file.suffix == ".pem" or file.name in besides]


def by_id(held: Sequence[Held]) -> dict[str, Key]:
    """Return the keys by their ids, and of several of one id the one that can sign."""
    keys: dict[str, Key] = {}
    for each in held:
        if not isinstance(keys.get(each.key.id), SigningKey):
            keys[each.key.id] = each.key
    return keys


def _manifest(folder: Path | None) -> Manifest:
    return Manifest() if folder is None else read_manifest(folder)


def _require_kept(folder: Path | None) -> None:
    """Raise CannotStart for a folder to which anybody on the machine could add a key."""
    if folder is not None:
        atomic_files.require_kept(folder)


def _verifying(secret: bytes) -> Key:
    key = hmac_key(secret, FALLBACK)
    return Key(id=key.id, algorithm=key.algorithm, verifier=key.verifier)


def _told(faults: list[str], read: Callable[[], _Read], otherwise: _Read) -> _Read:
    """Read something, or note its faults and go on to the next."""
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


def _stamped(file: Path) -> tuple[str, int, int, int, int]:
    try:
        now = file.stat()
    except OSError as error:
        return file.name, -(error.errno or 0), 0, 0, 0
    if S_ISDIR(now.st_mode):
        return file.name, now.st_ino, now.st_mode, 0, 0
    return file.name, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
