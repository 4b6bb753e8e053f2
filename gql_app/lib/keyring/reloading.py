"""The ring that a running process goes by, read anew when the key files change."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog

from gql_app.errors import CannotStart
from gql_app.lib.keyring.keys import Key, KeyRing, SigningKey
from gql_app.lib.keyring.keystore import Held, KeyStore, Survey, by_id

INTERVAL: Final = 1.0
"""Seconds between two looks at the folder, at least."""

_log: Final = structlog.stdlib.get_logger(__name__)


class CurrentRing:
    """The ring as it is now; nothing is done between the times that it is asked for."""

    def __init__(self, store: KeyStore, *, interval: float = INTERVAL) -> None:
        """Read the ring for the first time. Raises CannotStart."""
        self._store = store
        self._interval = interval
        self._stamp = store.stamp()
        found = store.survey()
        self._ring = store.ring(found)
        self._held = found.held
        self._looked = time.monotonic()
        self._faults: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether the files could not be read the last time."""
        return bool(self._faults)

    def get(self) -> KeyRing:
        """Return the ring. While the files are faulty, keys may leave it, and none is added."""
        if time.monotonic() - self._looked >= self._interval:
            self._look()
            self._looked = time.monotonic()
        return self._ring

    def _look(self) -> None:
        try:
            # The stamp is taken first: what changes during the reading is seen the next time.
            stamp = self._store.stamp()
            if stamp != self._stamp:
                self._read()
                self._stamp = stamp
                _log.info("The keys were read anew", signing=self._ring.signing.id)
        except CannotStart as why:
            if why.faults != self._faults:
                _log.warning("The keys can't be read; none is added", faults=why.faults)
            self._faults = why.faults
        else:
            self._faults = ()

    def _read(self) -> None:
        """Take the ring as the files have it, or what is left of it. Raises CannotStart."""
        found = self._store.survey()
        try:
            self._ring, self._held = self._store.ring(found), found.held
        except CannotStart:
            before = self._ring
            self._ring, self._held = reduced(before, self._held, found)
            if self._ring is not before:
                left = [key.id for key in self._ring.keys]
                signing = self._ring.signing.id
                _log.warning("Keys were taken away", verifying=left, signing=signing)
            raise


def reduced(ring: KeyRing, held: Sequence[Held], found: Survey) -> tuple[KeyRing, Sequence[Held]]:
    """Return the ring without what was taken away since, and the places of the keys on it.

    A key leaves when its last file is gone or holds another one; a file that can't be read
    holds what it held. Keys that were retired meanwhile die then, and what lost its private half
    signs no more. Nothing is added: neither keys nor private halves nor time.
    """
    there = [each for each in found.held if any(each.key.id == key.id for key in ring.keys)]
    there += [each for each in held if found.may_hold(each.place)]
    now = by_id(there)
    left = {key.id: _worsened(key, now[key.id], found) for key in ring.keys if key.id in now}
    signing = _signing(ring, found, left)
    if all(left.get(key.id) is key for key in ring.keys) and signing is ring.signing:
        return ring, there
    return KeyRing(signing, tuple(left.values()), ring.pepper), there


def _worsened(key: Key, now: Key, found: Survey) -> Key:
    """Return a key without its private half if that is gone, and dying if it was retired."""
    left = now if isinstance(key, SigningKey) and not isinstance(now, SigningKey) else key
    dates = [date for date in (key.not_after, found.decided.retired.get(key.id)) if date]
    until = min(dates, default=None)
    return left if left.not_after == until else replace(left, not_after=until)


def _signing(ring: KeyRing, found: Survey, left: dict[str, Key]) -> SigningKey:
    """Return the key that signs: the one that is decided on, or that did, or the secret.

    If none of these can, it is any that can; and if there is none, the one that did, which
    encode_token refuses once it is off the ring.
    """
    for key_id in (found.decided.signing, ring.signing.id, *left):
        key = left.get(key_id or "")
        if isinstance(key, SigningKey) and key.not_after is None:
            return key
    return ring.signing
