"""Bodies: what comes with a request, up to a limit."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Receive

_DIGITS: Final = 19
"""More of a length need not be read to know that it is too large."""


class Bodies:
    """Reads bodies; of one that is, or grows, larger than it may be nothing is kept."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes

    async def read(self, headers: Mapping[bytes, Sequence[bytes]], receive: Receive) -> bytes:
        """Read one, whether its length is announced or it comes in chunks. Raises HTTPException."""
        announced = headers[b"content-length"][:1]
        if announced and announced[0].isdigit():
            self._check(int(announced[0][:_DIGITS]))
        chunks: list[bytes] = []
        received, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise HTTPException(400, "The body ended too soon")
            chunk = message.get("body", b"")
            received += len(chunk)
            self._check(received)
            chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise HTTPException(413, f"The body is larger than {self._max_bytes} bytes")
