"""Rotation of signing keys that ends no session: make, promote, retire."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from gql_app.lib import clock
from gql_app.lib.faults import OperatorError
from gql_app.lib.keyring.keys import (
    Algorithm,
    Key,
    SigningKey,
    add_key,
    drop_private_half,
    read_key,
)
from gql_app.lib.keyring.manifest import write_manifest
from gql_app.lib.keyring.ring import KeyStore, Scan

LEEWAY: Final = 60
"""Seconds by which clocks may differ, and within which every process reads the new manifest."""


def make(store: KeyStore, algorithm: Algorithm) -> tuple[Key, Path]:
    """Write a new key, which verifies and is published, but does not sign yet.

    Raise OperatorError.
    """
    folder = store.require_folder()
    store.scan().keys()  # raises every fault but a lost signing key, which this one may replace
    with _writing(folder):
        file = add_key(folder, algorithm)
    return read_key(file), file


def promote(store: KeyStore, name: str) -> Key:
    """Make a key the signing key; the previous one goes on verifying, if it is still there.

    Raise OperatorError.
    """
    folder = store.require_folder()
    with _writing(folder):
        scan = store.scan()
        key = _named(scan, name)
        if key.not_after is not None:
            raise OperatorError([f"{key.id} is retired. Make a new key instead."])
        if not isinstance(key, SigningKey):
            raise OperatorError([f"{key.id} can only verify: its private half is not here."])
        write_manifest(folder, replace(scan.manifest, signing=key.id))
    return key


def retire(store: KeyStore, name: str, *, ttl: int) -> Key:
    """Retire a key: it verifies until the last token that it may have signed has expired.

    Its private key is deleted at once. A second call changes no date, and completes an interrupted
    first one. Raise OperatorError.
    """
    folder = store.require_folder()
    with _writing(folder):
        scan = store.scan()
        signing = store.ring(scan).signing
        key = _named(scan, name)
        if key.id == signing.id:
            raise OperatorError([f"{key.id} signs the tokens. Promote another key first."])
        until = key.not_after or clock.later(clock.now().replace(microsecond=0), ttl + LEEWAY)
        retired = {**scan.manifest.retired, key.id: until}
        write_manifest(folder, replace(scan.manifest, retired=retired))
        for place, stored in scan.stored.items():
            if isinstance(place, Path) and stored.id == key.id:
                drop_private_half(place)
    return replace(key, not_after=until)


def _named(scan: Scan, name: str) -> Key:
    """Return the only key whose id is, or begins with, a name.

    Raise OperatorError.
    """
    found = [key for key_id, key in scan.keys().items() if key_id.startswith(name)]
    if len(found) == 1 and name:
        return found[0]
    how_many = "More than one key" if len(found) > 1 else "No key"
    raise OperatorError([f'{how_many} has an id that begins with "{name}". See: keys list'])


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Lock a folder for the block, so that no command undoes what another writes meanwhile.

    Raise OperatorError. Windows and some network file systems lock no folders; KeyStore.scan() says
    why there is none to lock.
    """
    lockable = sys.platform != "win32" and folder.is_dir()
    try:
        with _locked(folder) if lockable else nullcontext():
            yield
    except OSError as error:
        raise OperatorError([f"{folder} cannot be written: {error.strerror}"]) from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl  # noqa: PLC0415 — Windows has none

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # NFS locks no folders
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
