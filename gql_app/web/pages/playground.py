"""The playground: a page to try the API in, and the files that it loads."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gql_app.lib import clock
from gql_app.lib.graphql_http import read_manifest
from gql_app.lib.static_files import StaticFiles
from gql_app.lib.telemetry import get_logger
from gql_app.resources import Resources
from gql_app.schema.root import build_schema
from gql_app.security.tokens import encode_token

BUILT: Final = Path(__file__).parents[1] / "static"
"""The folder that `playground/` is built into."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; "  # the editor draws by style attributes
    "img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy: own scripts only, and requests to this server only."""
STOCK_POLICY: Final = (
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""That of Strawberry's page, whose scripts and styles come from a CDN."""
_FACTS: Final = '<meta name="facts" content="{}" />'
_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
}
_log: Final = get_logger(__name__)


class Playground:
    """The GraphiQL page that signs in by itself, or Strawberry's page if that is not built."""

    def __init__(self, *, sign_ins: Sequence[Mapping[str, str]] = (), folder: Path = BUILT) -> None:
        self._sign_ins = [dict(each) for each in sign_ins]
        self._files: StaticFiles | None = None
        self._operations = folder / "operations.json"
        try:
            self._page = (folder / "index.html").read_text(encoding="utf-8")
        except FileNotFoundError:
            from strawberry.asgi import GraphQL  # noqa: PLC0415 — needed here only

            _log.warning("The playground is not built: a page that needs a CDN stands in for it")
            self._page = GraphQL(build_schema()).graphql_ide_html
        else:
            self._files = StaticFiles(folder / "playground", _MEDIA_TYPES)

    @property
    def documents(self) -> Collection[str]:
        """The documents that the built page sends by itself. Raises ValueError."""
        return read_manifest(self._operations).values() if self._operations.is_file() else ()

    def page(self, request: Request) -> Response:
        """Return the page, which offers what the server has, and the sign-ins in the demo."""
        if self._files is None:
            return HTMLResponse(self._page, headers={"Content-Security-Policy": STOCK_POLICY})
        resources: Resources = request.state.resources
        facts: dict[str, object] = {"lacks": _lacks(resources)}
        if self._sign_ins:
            facts |= {"signIns": self._sign_ins, "expiredToken": _expired_token(resources)}
        page = self._page.replace(_FACTS.format("{}"), _FACTS.format(escape(json.dumps(facts))))
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    def file(self, request: Request) -> Response:
        """Return a file, compressed when it was built. Raises HTTPException if there is none."""
        name: str = request.path_params["name"]
        response = None if self._files is None else self._files.response(name, request)
        if response is None:
            raise HTTPException(404, "The playground has no such file")
        return response


def _lacks(resources: Resources) -> Sequence[str]:
    """Return the names of what the server lacks of what the page could offer."""
    has = {"passwordReset": resources.mailer.open, "registration": resources.settings.registration}
    return [name for name, value in has.items() if not value]


def _expired_token(resources: Resources) -> str:
    """Return a token of no customer that expired an hour ago, to try how the API answers it."""
    token, _ = encode_token(
        resources.keys.get(),
        resources.issuer,
        customer_id=clock.new_id(),
        session_id=clock.new_id(),
        not_after=clock.now() - timedelta(hours=1),
    )
    return token
