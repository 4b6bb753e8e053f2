"""Middleware of every request: its id and log line, response headers, unhandled errors."""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gql_app.accounts.audit import MAX_USER_AGENT, Origin
from gql_app.lib.clock import new_id
from gql_app.lib.cors import CORSMiddleware
from gql_app.lib.faults import fault_of
from gql_app.lib.network import apply_forwarded
from gql_app.lib.server import Disconnect
from gql_app.lib.telemetry import (
    NO_ANSWER,
    NO_OPERATION,
    STATUS_NAMES,
    bind_log_context,
    get_logger,
)
from gql_app.web.responses import refusal

if TYPE_CHECKING:  # OpenTelemetry may not be installed
    from gql_app.lib.telemetry import Tracing

_log: Final = get_logger(__name__)
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_OVER_TLS: Final = (*_HEADERS, (b"strict-transport-security", b"max-age=63072000"))
"""With HSTS (RFC 6797) of two years for this host, but not for its subdomains."""
CLIENT_CLOSED_REQUEST: Final = 499
"""The status in the log if the client disconnected before the answer; no standard has it."""


class RequestLogMiddleware:
    """Gives each request an id, an origin and a line in the log, and each response its headers.

    The client and the scheme are those that proxies report, of the `trusted` networks in the
    request's state. The line never holds the query string, a variable's value or a header. Handlers
    add fields to the line as `facts` in the state. The request is counted in the metrics, too.
    """

    def __init__(self, app: ASGIApp, *, tracing: "Tracing | None" = None) -> None:
        self._app = app
        self._log = _log.bind()
        self._tracing = tracing

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Return what answers and logs one request, and traces it if tracing is on."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        trusted = scope.setdefault("state", {}).get("trusted")
        if trusted is not None:
            apply_forwarded(scope, trusted)
        if self._tracing is None:
            return self._answer(scope, receive, send, ())
        return self._traced(self._tracing, scope, receive, send)

    async def _traced(self, tracing: "Tracing", scope: Scope, receive: Receive, send: Send) -> None:
        with tracing.request(scope) as headers:
            await self._answer(scope, receive, send, headers)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, added: Sequence[tuple[bytes, bytes]]
    ) -> None:
        request_id, origin, state = str(new_id()), _origin(scope), scope["state"]
        state |= {"request_id": request_id, "origin": origin, "status": 0}
        security_headers = _OVER_TLS if scope["scheme"] == "https" else _HEADERS

        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                state["status"] = message["status"]
                headers = list(message.get("headers", ()))
                own = dict(headers)
                headers += [header for header in security_headers if header[0] not in own]
                headers.append((b"x-request-id", request_id.encode()))
                headers += added
                message["headers"] = headers
            return send(message)

        started = time.perf_counter()
        client = {"client": origin.ip_address} if origin.ip_address is not None else {}
        bind_log_context(request_id=request_id, **client)
        try:
            await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            if not Disconnect.of(scope).is_cancelled:
                raise
            state |= {"status": CLIENT_CLOSED_REQUEST, "facts": {"outcome": NO_ANSWER}}
            if context := state.get("context"):
                state |= {"kind": context.kind, "facts": context.facts(NO_ANSWER)}
        finally:
            if not Disconnect.of(scope).is_refused:  # the refusal has its own line
                self._record(scope, state, time.perf_counter() - started)
            # The connection keeps the scope until its next request; a page shall not stay with it.
            state.pop("context", None)

    def _record(self, scope: Scope, state: Mapping[str, Any], seconds: float) -> None:
        """Log a request, and count it."""
        status = state["status"]
        # The outcome is the status if there was no operation.
        name = STATUS_NAMES.get(status, str(status))
        facts = state.get("facts") or ({"outcome": name} if status else {})
        self._log.info(
            "Request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            duration_ms=round(seconds * 1000, 2),
            **facts,
        )
        if resources := state.get("resources"):
            kind, outcome = state.get("kind", NO_OPERATION), facts.get("outcome", NO_ANSWER)
            resources.metrics.request(kind, outcome, seconds)


class ServerErrorMiddleware:
    """Answers an unhandled error, with the request's id and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises the error if the response has begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 — any error is answered
            fault = error if isinstance(error, Exception) else fault_of(error)
            _log.error("Unforeseen error", exc_info=fault)
            if scope["state"]["status"]:
                raise fault from fault.__cause__
            request_id = scope["state"]["request_id"]
            message = f"Something went wrong on our side. The request's id is {request_id}."
            await refusal(500, message, requestId=request_id)(scope, receive, send)


def refuse(status: int, message: str, headers: Mapping[str, str]) -> ASGIApp:
    """Return an application that refuses, and logs, requests that never reach the API."""
    wait = {"retryAfter": int(headers["Retry-After"])} if "Retry-After" in headers else {}
    response = refusal(status, message, headers=headers, **wait)

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        policy = scope["state"].get("cors")
        app = CORSMiddleware(response, policy) if policy else response
        await app(scope, receive, send)

    return RequestLogMiddleware(respond)


def _origin(scope: Scope) -> Origin:
    """Return where a request comes from."""
    address = scope["client"][0] if scope.get("client") else None
    agents = (value for name, value in scope["headers"] if name == b"user-agent")
    return _origin_of(address, next(agents, b"")[:MAX_USER_AGENT])


@lru_cache(1024)
def _origin_of(address: str | None, user_agent: bytes) -> Origin:
    """Return an origin, cached for the last clients, as parsing an address is slow."""
    return Origin.of(address, user_agent.decode("latin-1"))
