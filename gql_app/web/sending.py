"""Answers on their way: each is taken in time, or its peer is cut off."""

import asyncio
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from gql_app.web.answering import Answering
from gql_app.web.bounds import (
    DRAINED_BYTES,
    DRAINED_SECONDS,
    LAST_CHANCE,
    PACE,
    Bounds,
    Deadline,
    cut_off,
    keep_unsent,
)


class Outlet:
    """What the answers of a connection are written to; to close it is left to the connection."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, sending: "Sending", transport: asyncio.Transport) -> None:
        self.write: Final = transport.write
        self.is_closing: Final = sending.is_ending
        self.close: Final = sending.end


class Sending(Answering):
    """A connection whose peer takes its answers in time, and gets to read the last of them."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # uvicorn's own
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: Bounds,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._bounds = bounds
        self._taken = Deadline(self.loop, self._not_taken)
        self._drain = Deadline(self.loop, self._close)
        self._unsent = self._drained = 0
        self._ended = self._stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Have answers written to the transport."""
        super().connection_made(transport)
        keep_unsent(transport)
        self.outlet = cast("asyncio.Transport", Outlet(self, transport))

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nobody any more."""
        self._taken.end()
        self._drain.end()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the peer, that has yet to take what is written."""
        super().pause_writing()
        self._unsent = self.transport.get_write_buffer_size()
        self._taken.set(self._bounds.seconds)

    def resume_writing(self) -> None:
        """Wait for no more than what is left."""
        super().resume_writing()
        self._taken.set(self._bounds.seconds)

    def is_ending(self) -> bool:
        """Tell whether the connection is closed, or is about to be."""
        return self._ended or self.transport.is_closing()

    def end(self) -> None:
        """Close the connection once all is sent, and what the peer is still sending is drained.

        To close it with bytes unread would reset it, and the peer might lose the answer
        (RFC 9112 section 9.6).
        """
        if self.is_ending():
            return
        self._ended = True
        if not self._taken.pending:
            self._taken.set(self._bounds.seconds)
        if self._may_be_reset() and self._drained <= DRAINED_BYTES:
            self.transport.write_eof()
            self.flow.resume_reading()
            self._drain.set(LAST_CHANCE if self._stopping else DRAINED_SECONDS)
        else:
            self.transport.close()

    def _may_be_reset(self) -> bool:
        """Tell whether the peer may still be sending, and so lose the answer that it has."""
        return True

    def _discard(self, data: bytes) -> None:
        """Drop what comes after the last request, up to a bound."""
        self._drained += len(data)
        if self._drained > DRAINED_BYTES:
            if self._ended:
                self._close()
            else:
                self.flow.pause_reading()

    def _close(self) -> None:
        self.transport.close()

    def _not_taken(self) -> None:
        """Cut the peer off, unless it takes a long answer at no less than the least pace."""
        unsent = self.transport.get_write_buffer_size()
        enough = PACE * self._bounds.seconds
        if self.flow.write_paused and self._unsent - unsent >= enough:
            self._unsent = unsent
            self._taken.set(self._bounds.seconds)
        else:
            cut_off(self.transport)
