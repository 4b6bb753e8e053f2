"""Static files, compressed when they were built, and served from memory."""

import zlib
from collections.abc import AsyncIterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gql_app.lib.compression import accepts

__all__ = ["CACHE_CONTROL", "StaticFiles"]

CACHE_CONTROL: Final = "public, max-age=31536000, immutable"
"""A file's name changes with its content."""
_CODINGS: Final = {"br": ".br", "gzip": ".gz"}
_PIECE: Final = 32 * 1024
"""Bytes of a file that are written at a time, each piece once the client has read enough."""


class StaticFiles:
    """The files of a folder, read once: later changes on disk have no effect.

    Of a file that has a `.gz` beside it, only compressed ones are kept.
    """

    def __init__(self, folder: Path, media_types: Mapping[str, str]) -> None:
        self._media_types: Final = media_types
        self._files, self._sizes = _read(folder)

    def response(self, name: str, request: Request) -> Response | None:
        """Return a file in a coding that the client accepts, None if there is no such file."""
        media_type = self._media_types.get(Path(name).suffix)
        if media_type is None or name not in self._sizes:
            return None
        headers = {"Cache-Control": CACHE_CONTROL, "Vary": "Accept-Encoding"}
        accepted = ",".join(request.headers.getlist("accept-encoding"))
        for coding, ending in _CODINGS.items():
            if name + ending in self._files and accepts(coding, accepted):
                name += ending
                headers["Content-Encoding"] = coding
                break
        unzip = name not in self._files
        stored = self._files[f"{name}.gz" if unzip else name]
        headers["Content-Length"] = str(self._sizes[name])
        if request.method == "HEAD":
            return Response(None, headers=headers, media_type=media_type)
        content = _pieces(stored, unzip=unzip)
        return StreamingResponse(content, headers=headers, media_type=media_type)


@cache
def _read(folder: Path) -> tuple[Mapping[str, bytes], Mapping[str, int]]:
    """Return the files of a folder, and the sizes of all of them, cached for the process."""
    files = {file.name: file for file in folder.iterdir()}
    sizes = {name: file.stat().st_size for name, file in files.items()}
    kept = [name for name in files if f"{name}.gz" not in files]
    return {name: files[name].read_bytes() for name in kept}, sizes


async def _pieces(stored: bytes, *, unzip: bool) -> AsyncIterator[bytes]:
    """Return a file piece by piece, so that no connection has a copy of all of it."""
    gzip = zlib.decompressobj(16 + zlib.MAX_WBITS)  # with a header and a trailer (RFC 1952)
    for start in range(0, len(stored), _PIECE):
        piece = stored[start : start + _PIECE]
        yield gzip.decompress(piece) if unzip else piece
