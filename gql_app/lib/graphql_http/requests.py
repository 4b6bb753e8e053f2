"""Requests: what a body or a URL asks for."""

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive, Scope

from gql_app.lib.engine import GraphQLRequest
from gql_app.lib.graphql_http.documents import DocumentSource, unsupported
from gql_app.lib.graphql_http.errors import BAD_USER_INPUT, BatchRefused, RequestError
from gql_app.lib.graphql_http.negotiation import GRAPHQL, JSON, STREAMS

Headers = dict[bytes, list[bytes]]
Parameters = tuple[str | None, str | None, str | None, dict[str, Any]]
"""The query, the id of a document, the operation's name and the variables of a request."""
METHODS: Final = {"Allow": "GET, HEAD, POST, OPTIONS"}
"""The header that names the methods of the API's one path."""
MAX_FIELDS: Final = 100
"""Fields of a URL's query."""
_LENGTH_DIGITS: Final = 19
"""Digits of Content-Length that are read: more of them are too large, whatever they say."""
_PARAMETERS: Final = ("query", "documentId", "operationName", "variables", "extensions")
_SAFE: Final = frozenset({"GET", "HEAD"})
_NO_METHOD: Final = "Send GraphQL requests by POST, or queries by GET."
_NOT_ACCEPTABLE: Final = (
    "This server answers queries and mutations, all at once: there are no subscriptions, events or "
    f"parts. Accept {JSON} or {GRAPHQL}."
)
_NO_WEBSOCKET: Final = (
    "There is no WebSocket here, and no subscriptions: send queries and mutations by POST."
)
_NO_UPLOADS: Final = f"No files are taken here: send {JSON} in UTF-8, not multipart/form-data."


class RequestReader:
    """Reads requests of one path, whose documents are of a source."""

    def __init__(self, documents: DocumentSource, max_bytes: int) -> None:
        """Take how many bytes a body, or the query of a URL, may have."""
        self._documents: Final = documents
        self._max_bytes: Final = max_bytes

    async def read(
        self, scope: Scope, headers: Headers, receive: Receive, media_type: str | None
    ) -> tuple[GraphQLRequest, str | None]:
        """Return the request, and a hash under which to keep its document once it is valid.

        Only queries may come by GET. Raises RequestError if it is no request, or if the media
        type of the response is none that holds a result.
        """
        method: str = scope["method"]
        by_post = method == "POST"
        if not by_post and method not in _SAFE:
            raise RequestError(405, _NO_METHOD, headers=METHODS)
        if media_type is None or media_type in STREAMS:
            raise RequestError(406, _NOT_ACCEPTABLE)
        if by_post:
            asked = parse_body(headers, await read_body(headers, receive, self._max_bytes))
        else:
            asked = self._of_url(scope["query_string"], headers)
        query, document_id, name, variables = asked
        text, new = self._documents.find(query, document_id, headers)
        return GraphQLRequest(text, name, variables, not by_post), new

    def _of_url(self, query_string: bytes, headers: Headers) -> Parameters:
        if any(b"websocket" in value.lower() for value in headers[b"upgrade"]):
            raise RequestError(400, _NO_WEBSOCKET)
        if len(query_string) > self._max_bytes:
            most = f"The URL is longer than {self._max_bytes} bytes."
            raise RequestError(414, most, BAD_USER_INPUT)
        return parse_url(query_string)


def mutation_by_get() -> RequestError:
    """Return why an operation that is no query is not executed by GET."""
    return RequestError(405, "Send mutations by POST: GET runs queries alone.", headers=METHODS)


def headers_of(scope: Scope) -> Headers:
    """Return each header's values; of one that was not sent there are none."""
    headers: Headers = defaultdict(list)
    for name, value in scope["headers"]:
        headers[name].append(value)
    return headers


async def read_body(headers: Headers, receive: Receive, most: int) -> bytes:
    """Return a body. Raises RequestError if it is, or says that it is, larger than allowed."""
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
    """Return what a body of JSON asks for. Raises RequestError."""
    if any(encoding.lower() != b"identity" for encoding in headers[b"content-encoding"]):
        raise RequestError(415, "Send the body as it is, without a content encoding.")
    types = headers[b"content-type"]
    if len(types) != 1 or not _is_json(types[0]):
        uploads = types and types[0].lower().startswith(b"multipart/form-data")
        raise RequestError(415, _NO_UPLOADS if uploads else f"Send {JSON} in UTF-8.")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestError(400, "The body is not JSON in UTF-8.") from None
    if isinstance(content, list) and content:
        raise BatchRefused(len(content))
    if not isinstance(content, dict):
        raise RequestError(400, "The body is not a JSON object.")
    return _parameters(content)


def parse_url(query_string: bytes) -> Parameters:
    """Return what the query of a URL asks for. Raises RequestError, which repeats none of it."""
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
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
                raise RequestError(400, f"{name} is not JSON.") from None
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
    document_id = _hash(extensions) if extensions else None
    if document_id is None:
        document_id = content.get("documentId")
        if not isinstance(document_id, str | None):
            raise RequestError(400, "documentId is no string.")
    return query, document_id or None, name or None, variables or {}


def _hash(extensions: Mapping[str, Any]) -> str | None:
    """Return the hash of a persisted query, None if there is none. Raises RequestError."""
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(digest, str) or not digest:
        raise RequestError(400, "extensions.persistedQuery has no sha256Hash.")
    if persisted.get("version") != 1:
        raise unsupported()
    return digest


@lru_cache(64)
def _is_json(content_type: bytes) -> bool:
    name, *parameters = (part.strip().lower() for part in content_type.decode("latin-1").split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    return name == JSON and all(charset in {"utf-8", "utf8"} for charset in charsets)
