"""The ring that a running process goes by, read anew when the key files change."""

import time
from typing import Final

import structlog

from gql_app.errors import CannotStart
from gql_app.security.keys import KeyRing
from gql_app.security.keystore import KeyStore

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
        self._ring = store.read()
        self._looked = time.monotonic()
        self._faults: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether the files could not be read the last time."""
        return bool(self._faults)

    def get(self) -> KeyRing:
        """Tell the ring. While the files are faulty, it is the last that was not."""
        if time.monotonic() - self._looked >= self._interval:
            self._look()
            self._looked = time.monotonic()
        return self._ring

    def _look(self) -> None:
        try:
            # The stamp is taken first: what changes during the reading is seen the next time.
            stamp = self._store.stamp()
            if stamp != self._stamp:
                self._ring = self._store.read()
                self._stamp = stamp
                _log.info("The keys were read anew", signing=self._ring.signing.id)
        except CannotStart as why:
            if why.faults != self._faults:
                _log.warning("The keys can't be read; the old ones stay", faults=why.faults)
            self._faults = why.faults
        else:
            self._faults = ()
