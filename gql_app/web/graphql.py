"""GraphQL over HTTP, and the bearer token of its requests."""

from collections.abc import Sequence
from typing import Final, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from gql_app.accounts.audit import Action
from gql_app.errors import TokenInvalid, TokenMalformed, TokenReason, Unauthenticated
from gql_app.lib.compression import MINIMUM_SIZE, compress
from gql_app.lib.engine import Engine, NotAQuery
from gql_app.lib.graphql_http import (
    DocumentSource,
    Headers,
    RequestError,
    RequestReader,
    Written,
    headers_of,
    mutation_by_get,
    negotiate,
    other_than_graphql,
    outcome,
    to_json,
    write,
)
from gql_app.lib.server import Disconnect
from gql_app.resources import Resources
from gql_app.schema.context import Context
from gql_app.security.tokens import MAX_TOKEN_BYTES, Claims, Identity
from gql_app.web.responses import bearer_challenge

PATH: Final = "/graphql"
UNAUTHORIZED: Final = 401
C = TypeVar("C", bound=Context)


class GraphQLView:
    """Answers requests of /graphql, and passes all others to the router behind it.

    Through Starlette's router `me` takes 1.09 times as long.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        engine: Engine[Context],
        documents: DocumentSource,
        max_body_bytes: int,
        has_page: bool,
        compresses: bool,
        context_type: type[Context] = Context,
    ) -> None:
        """Take the router, which may have a page for browsers, and the type of contexts."""
        self._app = app
        self._engine = engine
        self._documents = documents
        self._reader = RequestReader(documents, max_body_bytes)
        self._page = app if has_page else None
        self._compresses = compresses
        self._context_type = context_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope.get("path") != PATH or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, state = headers_of(scope), scope["state"]
        method = scope["method"]
        if method != "POST" and (other := other_than_graphql(method, headers, self._page)):
            await other(scope, receive, send)
            return
        media_type = negotiate(*headers[b"accept"])
        try:
            request, new = await self._reader.read(scope, headers, receive, media_type)
            context = state["context"] = await open_context(scope, headers, self._context_type)
            result = await self._engine.execute(request, context)
        except (NotAQuery, RequestError) as error:
            refusal = error if isinstance(error, RequestError) else mutation_by_get()
            state["facts"] = {"outcome": refusal.outcome}
            await refusal.response(media_type)(scope, receive, send)
            return
        state["kind"] = context.kind
        try:
            written = write(result, media_type)
        except TypeError:
            self._engine.leave_out(context, result, to_json)
            written = write(result, media_type)
        reasons = outcome(result.errors, context.refusals)
        state["facts"] = context.facts(reasons)
        known = self._engine.validator.documents.get(request.query) if new else None
        if new and known and (method == "POST" or known.has_query):  # it is valid
            self._documents.keep(new, request.query)
        await self._send(send, written, reasons, context.kind, headers[b"accept-encoding"])

    async def _send(
        self, send: Send, written: Written, reasons: str, kind: str, accepted: Sequence[bytes]
    ) -> None:
        """Send a result, compressed if that is safe, and with a challenge if it is a 401."""
        status, answered, body = written
        if status == UNAUTHORIZED:
            challenge = bearer_challenge(missing=TokenReason.TOKEN_MISSING in reasons)
            answered.append((b"www-authenticate", challenge.encode()))
        if self._compresses and len(body) >= MINIMUM_SIZE and kind == "query":
            # only mutations answer tokens, which a compressed length would leak (BREACH)
            body, coded = compress(body, accepted)
            answered += coded
        answered.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": answered})
        await send({"type": "http.response.body", "body": body})


async def open_context(scope: Scope, headers: Headers, kind: type[C]) -> C:
    """Return the context of a request, with the identity and language in its headers."""
    resources: Resources = scope["state"]["resources"]
    authorization = headers[b"authorization"]
    presented: Identity | Exception | None = authenticate_header(authorization, resources)
    identify = resources.extensions.identify
    if identify and isinstance(presented, TokenInvalid | TokenMalformed):
        presented = await identify(resources.database, authorization, presented)
    context = kind(
        resources,
        presented=presented,
        origin=scope["state"]["origin"],
        request_id=scope["state"]["request_id"],
        accept_language=headers[b"accept-language"],
        shield=Disconnect.of(scope).shield,
    )
    if isinstance(presented, TokenInvalid | TokenMalformed):
        context.note_guess(Action.TOKEN_REFUSED)
    return context


def authenticate_header(
    authorization: Sequence[bytes], resources: Resources
) -> Claims | Unauthenticated | None:
    """Return the claims of the bearer token (RFC 6750 section 2.1), or why it is not valid.

    None means that there is no token. Nothing is refused here, so that a client with an expired
    token can still read public fields.
    """
    if len(authorization) > 1:
        return TokenMalformed()
    value = authorization[0] if authorization else b""
    match [part for part in value.replace(b"\t", b" ").split(b" ") if part]:
        case []:
            return None
        case [scheme, token] if scheme.lower() == b"bearer" and len(token) <= MAX_TOKEN_BYTES:
            try:
                return resources.tokens.read(resources.keys.get(), token.decode("latin-1"))
            except Unauthenticated as error:
                return error
        case _:
            return TokenMalformed()
