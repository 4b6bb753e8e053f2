"""What every request passes: its id and log line, and the headers of every answer."""

import asyncio
import re
import time
from collections.abc import Container, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gql_app.accounts.audit import MAX_ADDRESS
from gql_app.lib.ids import new_request_id
from gql_app.lib.network import canonical
from gql_app.lib.server import Disconnect
from gql_app.lib.telemetry import logs
from gql_app.lib.telemetry.labels import NO_ANSWER
from gql_app.web.responses import explained, refusal

_log: Final = structlog.stdlib.get_logger(__name__)

_Header = tuple[bytes, bytes]
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_ONLY_TLS: Final = (b"strict-transport-security", f"max-age={2 * 365 * 24 * 3600}".encode())
"""Two years of HTTPS for this very host (RFC 6797); what is below it isn't ours to bind."""
_OVER_TLS: Final = (*_HEADERS, _ONLY_TLS)
_NAMES: Final = frozenset(name for name, _ in _OVER_TLS)
_PORT: Final = re.compile(r":[0-9]*$")
CLIENT_CLOSED_REQUEST: Final = 499
"""What stands in the log where nobody was left to be given a status; no standard has one."""
_PROBED: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked by whoever starts, stops and watches the process, who knows its address alone."""


class Reception:
    """Gives each request an id and one line in the log, and each answer the headers of all.

    The line never holds the query string, a variable's value or a header. Whoever handles
    the request adds to it: what is put into the state as `facts`. It is counted, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = _log.bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_request_id()
        state = scope.setdefault("state", {})
        state["request_id"], state["status"] = request_id, 0
        borne = _OVER_TLS if scope["scheme"] == "https" else _HEADERS

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                state["status"] = message["status"]
                headers = list(message.get("headers", ()))
                own = dict(headers)
                headers += borne if _NAMES.isdisjoint(own) else _missing(borne, own)
                headers.append((b"x-request-id", request_id.encode()))
                message["headers"] = headers
            await send(message)

        started = time.perf_counter()
        logs.bind(request_id=request_id, **_client(scope))
        try:
            await self._app(scope, receive, note)
        except asyncio.CancelledError:
            if not Disconnect.of(scope).is_cancelled:
                raise
            state["status"] = CLIENT_CLOSED_REQUEST
            if context := state.get("context"):
                state |= {"kind": context.kind, "facts": context.facts(NO_ANSWER)}
        finally:
            self._tell(scope, state, time.perf_counter() - started)
            # The connection keeps the scope until its next request, and a page with it otherwise.
            state.pop("context", None)

    def _tell(self, scope: Scope, state: Mapping[str, Any], seconds: float) -> None:
        """Tell the log and the numbers how it came out."""
        facts = state.get("facts") or _outcome(state["status"])
        self._log.info(
            "Request",
            method=scope["method"],
            path=scope["path"],
            status=state["status"],
            duration_ms=round(seconds * 1000, 2),
            **facts,
        )
        if metrics := state.get("metrics"):
            metrics.request(state.get("kind", "none"), facts.get("outcome", NO_ANSWER), seconds)


class Apology:
    """Answers what nobody caught, by the request's id and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except Exception:
            _log.exception("Unforeseen error")
            if scope["state"]["status"]:
                raise
            await _sorry(scope["state"]["request_id"])(scope, receive, send)


class Shortcut:
    """Takes the requests that are most of them past the router, which looks at every route."""

    def __init__(self, app: ASGIApp, *, method: str, path: str, to: ASGIApp) -> None:
        self._app = app
        self._method = method
        self._path = path
        self._to = to

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a request on."""
        if scope.get("path") != self._path or scope["method"] != self._method:
            await self._app(scope, receive, send)
            return
        try:
            await self._to(scope, receive, send)
        except HTTPException as why:
            await explained(why)(scope, receive, send)


class KnownHosts:
    """Refuses requests for any other host, so that none gets into a link or a cache."""

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str]) -> None:
        self._app = app
        self._names = frozenset(host for host in hosts if not host.startswith("*"))
        self._endings = tuple(host[1:] for host in hosts if host.startswith("*"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge the Host header, whatever its port is."""
        if scope["type"] != "http" or scope["path"] in _PROBED or self._knows(scope):
            await self._app(scope, receive, send)
        else:
            answer = refusal(400, "This server does not answer for the host that was asked.")
            await answer(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        given = Headers(scope=scope).getlist("host")
        name = _PORT.sub("", given[0].lower()) if len(given) == 1 else ""
        return name in self._names or name.endswith(self._endings)


def _client(scope: Scope) -> dict[str, str]:
    """Tell the client's address for every line of a request, where it has one."""
    return {"client": _spelt(scope["client"][0])} if scope.get("client") else {}


@lru_cache(1024)
def _spelt(address: str) -> str:
    """Spell an address, which may be whatever a proxy says."""
    return canonical(address)[:MAX_ADDRESS]


def _missing(borne: Sequence[_Header], own: Container[bytes]) -> list[_Header]:
    """Leave out those that an answer brings of its own."""
    return [header for header in borne if header[0] not in own]


def _outcome(status: int) -> dict[str, str]:
    """Tell how it came out by the status, where no operation tells it better."""
    if status == CLIENT_CLOSED_REQUEST:
        return {"outcome": NO_ANSWER}
    return {"outcome": HTTPStatus(status).name} if status else {}


def _sorry(request_id: str) -> JSONResponse:
    return refusal(
        500,
        f"Something went wrong on our side. The request's id is {request_id}.",
        requestId=request_id,
    )
