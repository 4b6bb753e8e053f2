"""The playground: a page to try the API in, and the files that it loads."""

import json
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from gql_app.lib import clock
from gql_app.lib.ids import new_id
from gql_app.lib.telemetry import get_logger
from gql_app.resources import Resources
from gql_app.schema.root import build_schema
from gql_app.security.tokens import encode_token

BUILT: Final = Path(__file__).parent / "static"
"""What `playground/` is built into."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; "  # the editor sets out what it draws in style attributes
    "img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy: no script but ours, and nobody else to talk to."""
STOCK_POLICY: Final = (
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""That of Strawberry's page, whose scripts and styles come from a CDN."""
FOR_EVER: Final = "public, max-age=31536000, immutable"
"""A file's name changes with what is in it."""
_FACTS: Final = '<meta name="facts" content="{}" />'
_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
}
_CODINGS: Final = {"br": ".br", "gzip": ".gz"}
_PIECE: Final = 32 * 1024
"""Bytes of a file that are written at once, and then waited for until they are taken."""
_GZIP: Final = 16 + zlib.MAX_WBITS
"""The window size by which zlib expects gzip's header and trailer (RFC 1952)."""
_log: Final = get_logger(__name__)


class Playground:
    """The page of GraphiQL that signs in by itself, or Strawberry's where ours is not built.

    Its files are read once: they are answered as they were at the start.
    """

    def __init__(self, *, sign_ins: Sequence[Mapping[str, str]] = (), folder: Path = BUILT) -> None:
        self._sign_ins = [dict(each) for each in sign_ins]
        self._sizes: dict[str, int] = {}
        self._files: dict[str, bytes] = {}
        """What was compressed is kept so alone."""
        try:
            self._page = (folder / "index.html").read_text(encoding="utf-8")
        except FileNotFoundError:
            from strawberry.asgi import GraphQL  # noqa: PLC0415 — else there is no need of it

            _log.warning("The playground is not built: a page that needs a CDN stands in for it")
            self._page = GraphQL(build_schema()).graphql_ide_html
        else:
            files = {file.name: file for file in (folder / "playground").iterdir()}
            self._sizes = {name: file.stat().st_size for name, file in files.items()}
            self._files = {
                name: file.read_bytes() for name, file in files.items() if f"{name}.gz" not in files
            }

    def page(self, request: Request) -> Response:
        """Return the page; in the demo, it offers the sign-ins."""
        if not self._sizes:
            return HTMLResponse(self._page, headers={"Content-Security-Policy": STOCK_POLICY})
        resources: Resources = request.state.resources
        facts: dict[str, object] = {}
        if self._sign_ins:
            facts = {"signIns": self._sign_ins, "expiredToken": _expired_token(resources)}
        page = self._page.replace(_FACTS.format("{}"), _FACTS.format(escape(json.dumps(facts))))
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    def file(self, request: Request) -> Response:
        """Return a file, as it was compressed when it was built. Raises HTTPException."""
        name: str = request.path_params["name"]
        media_type = _MEDIA_TYPES.get(Path(name).suffix)
        if media_type is None or name not in self._sizes:
            raise HTTPException(404, "The playground has no such file")
        headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
        wanted = _codings(request.headers.get("accept-encoding", ""))
        for coding, ending in _CODINGS.items():
            if coding in wanted and name + ending in self._files:
                name += ending
                headers["Content-Encoding"] = coding
                break
        unzip = name not in self._files
        stored = self._files[f"{name}.gz" if unzip else name]
        headers["Content-Length"] = str(self._sizes[name])
        content = _pieces(b"" if request.method == "HEAD" else stored, unzip=unzip)
        return StreamingResponse(content, headers=headers, media_type=media_type)


def wants_page(request: Request) -> bool:
    """Return whether a browser asks: no other client accepts HTML."""
    accepted = request.headers.get("accept", "")
    return any(part.partition(";")[0].strip() == "text/html" for part in accepted.split(","))


async def _pieces(stored: bytes, *, unzip: bool) -> AsyncIterator[bytes]:
    """Return a file piece by piece, so that no connection has a copy of all of it."""
    gzip = zlib.decompressobj(_GZIP)
    for start in range(0, len(stored), _PIECE):
        piece = stored[start : start + _PIECE]
        yield gzip.decompress(piece) if unzip else piece


def _codings(accepted: str) -> set[str]:
    """Return the content codings that a client takes (RFC 9110 section 12.5.3)."""
    parts = (part.lower().replace(" ", "").partition(";") for part in accepted.split(","))
    return {
        name for name, _, weight in parts if weight not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    }


def _expired_token(resources: Resources) -> str:
    """Return a token of nobody's that expired an hour ago, to see what the API makes of it."""
    token, _ = encode_token(
        resources.keys.get(),
        resources.issuer,
        customer_id=new_id(),
        session_id=new_id(),
        not_after=clock.now() - timedelta(hours=1),
    )
    return token
