"""Where keys are kept: the secrets of the settings, and a folder of key files."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from gql_app.errors import CannotStart
from gql_app.security.keyfiles import read_key
from gql_app.security.keys import SECRET_KEY, Key, KeyRing, SigningKey, hmac_key
from gql_app.security.manifest import NAME, Manifest, read_manifest

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
        held, decided = self.look()
        keys: dict[str, Key] = {}
        for each in held:
            if not isinstance(keys.get(each.key.id), SigningKey):
                keys[each.key.id] = each.key
        signing = keys.get(decided.signing or held[0].key.id)
        if isinstance(signing, SigningKey) and signing.not_after is None:
            return KeyRing(signing, tuple(keys.values()), self.secret)
        fault = "is not here" if signing is None else "is retired, or only its public half is here"
        raise CannotStart([f"{self.require_folder() / NAME}: the signing key {fault}"])

    def look(self) -> tuple[list[Held], Manifest]:
        """Tell every key, the secret's first, and what is decided about them.

        Raises CannotStart, with every fault.
        """
        faults: list[str] = []
        decided = _told(faults, partial(_manifest, self.folder), Manifest())
        files: list[Path] = _told(faults, self._files, [])
        places: list[tuple[Path | str, Callable[[], Key]]] = [
            (self.origin, partial(hmac_key, self.secret, self.origin)),
            *([(FALLBACK, partial(_verifying, self.fallback))] if self.fallback else []),
            *((file, partial(read_key, file)) for file in files),
        ]
        found = [(place, _told(faults, read, None)) for place, read in places]
        if faults:
            raise CannotStart(faults)
        return [
            Held(replace(key, not_after=decided.retired.get(key.id)), place)
            for place, key in found
            if key is not None
        ], decided

    def stamp(self) -> Stamp:
        """Tell what is another one whenever a file of the folder is. Raises CannotStart."""
        try:
            seen = [(file.name, file.stat()) for file in self._files(NAME)]
        except OSError as error:
            raise _unreadable(self.folder, error) from None
        return frozenset(
            (name, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns) for name, now in seen
        )

    def _files(self, *besides: str) -> list[Path]:
        """List the key files, by name; a folder that is gone is a fault, not an empty one."""
        if self.folder is None:
            return []
        try:
            files = sorted(self.folder.iterdir())
        except OSError as error:
            raise _unreadable(self.folder, error) from None
        return [file for file in files if file.suffix == ".pem" or file.name in besides]


def _manifest(folder: Path | None) -> Manifest:
    return Manifest() if folder is None else read_manifest(folder)


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


def _unreadable(folder: Path | None, error: OSError) -> CannotStart:
    return CannotStart([f"{folder}: cannot be read: {error.strerror}"])
