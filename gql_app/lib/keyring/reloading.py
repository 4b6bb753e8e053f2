"""The key ring of a running process, read again when the key files change."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring.keys import Key, KeyRing, SigningKey
from gql_app.lib.keyring.keystore import KeyStore, Scan, StoredKey, by_id
from gql_app.lib.telemetry import get_logger

INTERVAL: Final = 1.0
"""Seconds between two looks at the folder, at least."""

_log: Final = get_logger(__name__)


class ReloadingKeyRing:
    """The ring as the files have it; they are looked at only when it is asked for."""

    def __init__(self, store: KeyStore, *, interval: float = INTERVAL) -> None:
        """Read the ring for the first time. Raise CannotStart."""
        self._store = store
        self._interval = interval
        self._fingerprint = store.fingerprint()
        scan = store.scan()
        self._ring = store.ring(scan)
        self._stored = scan.stored
        self._checked_at = time.monotonic()
        self._faults: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether the files could not be read the last time."""
        return bool(self._faults)

    def get(self) -> KeyRing:
        """Return the ring. While the files are faulty, keys may leave it, and none is added."""
        if time.monotonic() - self._checked_at >= self._interval:
            self._reload_if_changed()
            self._checked_at = time.monotonic()
        return self._ring

    def _reload_if_changed(self) -> None:
        try:
            # Taken before reading: a change during it is seen the next time.
            fingerprint = self._store.fingerprint()
            if fingerprint != self._fingerprint:
                self._read()
                self._fingerprint = fingerprint
                _log.info("The keys were read anew", signing=self._ring.signing.id)
        except CannotStart as why:
            if why.faults != self._faults:
                _log.warning("The keys can't be read; none is added", faults=why.faults)
            self._faults = why.faults
        else:
            self._faults = ()

    def _read(self) -> None:
        """Read the ring, or without what was removed if the files are faulty. Raise CannotStart."""
        scan = self._store.scan()
        try:
            self._ring, self._stored = self._store.ring(scan), scan.stored
        except CannotStart:
            before = self._ring
            self._ring, self._stored = without_removed(before, self._stored, scan)
            if self._ring is not before:
                left = [key.id for key in self._ring.keys]
                signing = self._ring.signing.id
                _log.warning("Keys were taken away", verifying=left, signing=signing)
            raise


def without_removed(
    ring: KeyRing, stored: Sequence[StoredKey], scan: Scan
) -> tuple[KeyRing, Sequence[StoredKey]]:
    """Return the ring without what was removed since, and the places of its keys.

    A key is removed when its last file is gone or holds another one; a file that can't be read
    still counts. A key that was retired meanwhile expires when the manifest says, and one without
    its private half signs no more. Nothing is added: no key, no private half, no time.
    """
    there = [each for each in scan.stored if any(each.key.id == key.id for key in ring.keys)]
    there += [each for each in stored if scan.may_contain(each.place)]
    now = by_id(there)
    left = {key.id: _restricted(key, now[key.id], scan) for key in ring.keys if key.id in now}
    signing = _signing(ring, scan, left)
    if all(left.get(key.id) is key for key in ring.keys) and signing is ring.signing:
        return ring, there
    return KeyRing(signing, tuple(left.values()), ring.pepper), there


def _restricted(key: Key, now: Key, scan: Scan) -> Key:
    """Return a key without a private half that is gone, and with the date of its retirement."""
    left = now if isinstance(key, SigningKey) and not isinstance(now, SigningKey) else key
    dates = [date for date in (key.not_after, scan.manifest.retired.get(key.id)) if date]
    until = min(dates, default=None)
    return left if left.not_after == until else replace(left, not_after=until)


def _signing(ring: KeyRing, scan: Scan, left: dict[str, Key]) -> SigningKey:
    """Return the key that signs: the manifest's, the one that signed before, or the secret.

    If none of these can, it is any that can; if none can, the one that signed before, which
    verifies nothing once it is off the ring.
    """
    for key_id in (scan.manifest.signing, ring.signing.id, *left):
        key = left.get(key_id or "")
        if isinstance(key, SigningKey) and key.not_after is None:
            return key
    return ring.signing
