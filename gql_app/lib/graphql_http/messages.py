"""Messages: requests in a body or a URL, the status and JSON of results, and other requests."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from graphql import ExecutionResult, GraphQLError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope

from gql_app.lib.engine import GraphQLRequest
from gql_app.lib.graphql_http.documents import PREFIX, DocumentSource, Headers
from gql_app.lib.graphql_http.errors import BAD_USER_INPUT, NOT_ACCEPTABLE, RequestError
from gql_app.lib.graphql_http.negotiation import GRAPHQL, JSON, STREAMS, accepts_html

Parameters = tuple[str | None, str | None, str | None, dict[str, Any]]
"""The query, the id of a document, the operation's name and the variables of a request."""
METHODS: Final = {"Allow": "GET, HEAD, POST, OPTIONS"}
"""The Allow header of the API's one path."""
MAX_FIELDS: Final = 100
"""Fields of a URL's query."""
_LENGTH_DIGITS: Final = 19
"""Digits of Content-Length that are read: a number with more of them is too large."""
_PARAMETERS: Final = ("query", "documentId", "operationName", "variables", "extensions")
_SAFE: Final = frozenset({"GET", "HEAD"})
_NO_METHOD: Final = "Send GraphQL requests by POST, or queries by GET."
_ALL_AT_ONCE: Final = (
    "This server answers queries and mutations, all at once: there are no subscriptions, events or "
    f"parts. Accept {JSON} or {GRAPHQL}."
)
_NO_WEBSOCKET: Final = (
    "There is no WebSocket here, and no subscriptions: send queries and mutations by POST."
)
_NO_BATCHES: Final = (
    "This server takes one operation a request: batches are off. Send each by itself, with "
    "Apollo's HttpLink instead of BatchHttpLink, or graphql-request's request() instead of "
    "batchRequests()."
)
_OR_BEYOND: Final = ", or is nested too deeply, or has a number out of range."
_NO_UPLOADS: Final = f"No files are taken here: send {JSON} in UTF-8, not multipart/form-data."

TIMED_OUT: Final = "DEADLINE_EXCEEDED"
"""The error code of an operation that timed out."""
REFUSALS: Final = {
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED.value,
    "FORBIDDEN": HTTPStatus.FORBIDDEN.value,
}
"""Statuses by error code, for a result of which every field is refused with that code."""
Written = tuple[int, list[tuple[bytes, bytes]], bytes]


class RequestReader:
    """Reads GraphQL requests, whose documents come from one source."""

    def __init__(self, documents: DocumentSource, max_bytes: int) -> None:
        """Take the source, and the most bytes of a body or of a URL's query."""
        self._documents: Final = documents
        self._max_bytes: Final = max_bytes

    async def read(
        self, scope: Scope, headers: Headers, receive: Receive, media_type: str | None
    ) -> tuple[GraphQLRequest, str | None]:
        """Return the request, and a hash under which to keep its document once it is valid.

        By GET only queries may run. Raises RequestError if the request is malformed, or if the
        response's media type can't hold a result.
        """
        method: str = scope["method"]
        by_post = method == "POST"
        if not by_post and method not in _SAFE:
            raise RequestError(405, _NO_METHOD, headers=METHODS)
        if media_type is None or media_type in STREAMS:
            raise RequestError(NOT_ACCEPTABLE, _ALL_AT_ONCE)
        if by_post:
            asked = parse_body(headers, await read_body(headers, receive, self._max_bytes))
        else:
            asked = self._of_url(scope["query_string"], headers)
        query, document_id, name, variables = asked
        new = None
        if document_id is not None or not self._documents.is_open or not (query and query.strip()):
            query, new = self._documents.find(query, document_id, headers)
        return GraphQLRequest(query, name, variables, not by_post), new

    def _of_url(self, query_string: bytes, headers: Headers) -> Parameters:
        if any(b"websocket" in value.lower() for value in headers[b"upgrade"]):
            raise RequestError(400, _NO_WEBSOCKET)
        if len(query_string) > self._max_bytes:
            most = f"The URL is longer than {self._max_bytes} bytes."
            raise RequestError(414, most, BAD_USER_INPUT)
        return parse_url(query_string)


def mutation_by_get() -> RequestError:
    """Return the refusal of a mutation that was sent by GET."""
    return RequestError(405, "Send mutations by POST: GET runs queries alone.", headers=METHODS)


def headers_of(scope: Scope) -> Headers:
    """Return each header's values, an empty list for one that was not sent."""
    headers: dict[bytes, list[bytes]] = defaultdict(list)
    for name, value in scope["headers"]:
        headers[name].append(value)
    return headers


def media_type_of(headers: Headers) -> str:
    """Return the media type of a body, without its parameters, in lower case."""
    content_type = b"".join(headers[b"content-type"]).decode("latin-1")
    return content_type.partition(";")[0].strip().lower()


async def read_body(headers: Headers, receive: Receive, most: int) -> bytes:
    """Return a body. Raises RequestError if it or its Content-Length is larger than allowed."""
    length = headers[b"content-length"][:1]
    size = int(length[0][:_LENGTH_DIGITS]) if length and length[0].isdigit() else 0
    body, more = bytearray(), True
    while more and max(size, len(body)) <= most:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(400, "The body ended too soon.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if max(size, len(body)) > most:
        raise RequestError(413, f"The body is larger than {most} bytes.", BAD_USER_INPUT)
    return bytes(body)


def parse_body(headers: Headers, body: bytes) -> Parameters:
    """Return the parameters in a JSON body. Raises RequestError."""
    codings = headers[b"content-encoding"]
    if codings and any(coding.lower() != b"identity" for coding in codings):
        raise RequestError(415, "Send the body as it is, without a content encoding.")
    types = headers[b"content-type"]
    if len(types) != 1 or not _is_json(types[0]):
        uploads = types and types[0].lower().startswith(b"multipart/form-data")
        raise RequestError(415, _NO_UPLOADS if uploads else f"Send {JSON} in UTF-8.")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestError(400, f"The body is not JSON in UTF-8{_OR_BEYOND}") from None
    if isinstance(content, list) and content:
        raise RequestError(400, _NO_BATCHES, batch=len(content))
    if not isinstance(content, dict):
        raise RequestError(400, "The body is not a JSON object.")
    return _parameters(content)


def parse_url(query_string: bytes) -> Parameters:
    """Return the parameters in a URL's query. Raises RequestError, which repeats none of it."""
    if query_string.count(b"&") >= MAX_FIELDS:
        raise RequestError(400, f"The URL's query has more than {MAX_FIELDS} fields.")
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise RequestError(400, "The URL's query is no form in UTF-8.") from None
    names = [name for name, _ in pairs]
    if twice := next((name for name in _PARAMETERS if names.count(name) > 1), None):
        raise RequestError(400, f"The URL has {twice} more than once.")
    content: dict[str, object] = {name: value for name, value in pairs if value}
    for name in ("variables", "extensions"):
        text = content.get(name)
        if isinstance(text, str):
            try:
                content[name] = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise RequestError(400, f"{name} is not JSON{_OR_BEYOND}") from None
    return _parameters(content)


def _parameters(content: Mapping[str, Any]) -> Parameters:
    """Return the parameters of a request (GraphQL over HTTP, section 5). Raises RequestError."""
    query, name = content.get("query"), content.get("operationName")
    variables, extensions = content.get("variables"), content.get("extensions")
    if not isinstance(query, str | None):
        raise RequestError(400, "query is no string.")
    if not isinstance(name, str | None):
        raise RequestError(400, "operationName is no string.")
    if not isinstance(variables, dict | None):
        raise RequestError(400, "variables is no object.")
    if not isinstance(extensions, dict | None):
        raise RequestError(400, "extensions is no object.")
    digest, document_id = _hash(extensions or {}), content.get("documentId")
    if not isinstance(document_id, str | None):
        raise RequestError(400, "documentId is no string.")
    if digest and document_id and digest != document_id.removeprefix(PREFIX):
        raise RequestError(400, "documentId and extensions.persistedQuery name two documents.")
    return query, digest or document_id or None, name or None, variables or {}


def _hash(extensions: Mapping[str, Any]) -> str | None:
    """Return the hash of a persisted query, None if there is none. Raises RequestError."""
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(digest, str) or not digest:
        raise RequestError(400, "extensions.persistedQuery has no sha256Hash.")
    if persisted.get("version") != 1:
        raise RequestError(400, "PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
    return digest


@lru_cache(64)
def _is_json(content_type: bytes) -> bool:
    name, *parameters = (part.strip().lower() for part in content_type.decode("latin-1").split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    return name == JSON and all(charset in {"utf-8", "utf8"} for charset in charsets)


def write(result: ExecutionResult, media_type: str | None) -> Written:
    """Return the status, headers and body of a result, as JSON if no media type is given.

    Content-Length is left to the caller, which may compress the body. Raises TypeError as to_json()
    does.

    Proxies and clients act upon Retry-After, so both media types have it, and 504 if nothing was
    done, so that a retry is safe.
    """
    media_type = media_type or JSON
    body = serialize(result)
    wait = retry_after(result.errors) if result.errors else None
    if wait:
        status = 503
    elif media_type == JSON:
        status = 504 if result.errors and _is_undone(result.errors) else 200
    else:
        status = status_of(result)
    headers = [(b"content-type", f"{media_type}; charset=utf-8".encode())]
    if wait:
        headers.append((b"retry-after", str(wait).encode()))
    return status, headers, body


def outcome(errors: Collection[GraphQLError] | None, refusals: Collection[str]) -> str:
    """Return the outcome for the log: each distinct code of errors and payloads, or OK."""
    if not errors and not refusals:
        return "OK"
    codes = {
        str(extensions.get("reason") or extensions["code"])
        for extensions in ((error.extensions or {}) for error in errors or ())
    }
    return " ".join(sorted(codes.union(refusals)))


def retry_after(errors: Iterable[GraphQLError] | None) -> int | None:
    """Return the seconds after which to try again, if any error has them as `retryAfter`."""
    waits = [(error.extensions or {}).get("retryAfter") for error in errors or ()]
    return max(filter(None, waits), default=None)


def _is_undone(errors: Iterable[GraphQLError]) -> bool:
    """Return whether an operation timed out before anything was done."""
    known = [error.extensions or {} for error in errors]
    return any(each.get("code") == TIMED_OUT and not each.get("mayBeDone") for each in known)


def status_of(result: ExecutionResult) -> int:
    """Return the status of a graphql-response+json response.

    400 if nothing was executed; 401 or 403 if every field was refused with it; 504 if it timed
    out, because then there is no data, and the draft asks for an error status.
    """
    errors = result.errors or []
    codes = {(error.extensions or {}).get("code") for error in errors}
    if TIMED_OUT in codes:
        return 504
    if result.data is None and not any(error.path for error in errors):
        return 400
    refused = {error.path[0] for error in errors if error.path and len(error.path) == 1}
    if refused and refused == set(result.data or {}) and len(codes) == 1:
        return REFUSALS.get(str(*codes), 200)
    return 200


def serialize(result: ExecutionResult) -> bytes:
    """Return the JSON of a result; its data is left out if nothing was executed."""
    content: dict[str, object] = {}
    if result.errors:
        content["errors"] = [error.formatted for error in result.errors]
    if result.data is not None or any(error.path for error in result.errors or []):
        content["data"] = result.data
    return to_json(content)


def to_json(value: object) -> bytes:
    """Return a value's JSON. Raises TypeError if it has none, as a text that is not UTF-8."""
    return orjson.dumps(value, _plain, orjson.OPT_UTC_Z)


def _plain(value: object) -> str:
    """Return the text of a UUID of the database driver's own type. Raises TypeError for others."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError


def other_than_graphql(method: str, headers: Headers, page: ASGIApp | None) -> ASGIApp | None:
    """Return the application for OPTIONS, or for a browser the page, if there is one.

    None is for requests that may be GraphQL's.
    """
    if method == "POST":
        return None
    if method == "OPTIONS":
        return Response(None, 204, METHODS)
    is_browser = method in {"GET", "HEAD"} and accepts_html(*headers[b"accept"])
    return page if is_browser else None


def leading_to(path: str, *, has_page: bool) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint for / that leads browsers to a path with a page, and names it to others.

    The redirect is relative, as a proxy may serve all of it below another path. It takes every
    method: a client that posts there is refused by a message with the path.
    """

    async def endpoint(request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            raise HTTPException(405, f"The GraphQL API is at {path}", {"Allow": "GET, HEAD"})
        if has_page and accepts_html(*headers_of(request.scope)[b"accept"]):
            return Response(None, 303, {"Location": f".{path}"})
        content = {"message": f"The GraphQL API is at {path}.", "graphql": path}
        return JSONResponse(content, media_type="application/json; charset=utf-8")

    return endpoint
