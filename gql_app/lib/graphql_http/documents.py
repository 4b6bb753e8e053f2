"""Persisted documents: texts that clients name by a hash or an id; perhaps no others may run."""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    parse,
)

from gql_app.lib.engine import BoundedCache
from gql_app.lib.graphql_http.errors import RequestError

MAX_BYTES: Final = 4 * 1024 * 1024
"""The most bytes of all texts that one process keeps for its clients."""
ENTRY_BYTES: Final = 400
"""Bytes of a cache entry without its text: its hash, and its place."""
APOLLO: Final = "apollo-persisted-query-manifest"
CLIENT: Final = b"graphql-client-name"
"""The header with the client's name."""
PREFIX: Final = "sha256:"
"""The prefix of a hash that is sent as `documentId`."""
_META: Final = frozenset({"__schema", "__type", "__typename"})
_MISSING: Final = (
    "query is missing: send the text of a GraphQL document, by POST in JSON or by GET in the URL."
)
_MISMATCH: Final = (
    "The hash or id is not that of the query that came with it; a hash is the SHA-256 of its UTF-8 "
    "in small hexadecimal digits."
)
_NOT_IN_LIST: Final = "This document is not in the list of those that this server runs."

Headers = Mapping[bytes, list[bytes]]


class DocumentSource(Protocol):
    """Finds the texts of documents."""

    is_open: bool
    """Whether any text may run, so that one sent in full need not be looked up."""

    def find(
        self, query: str | None, document_id: str | None, headers: Headers
    ) -> tuple[str, str | None]:
        """Return the text to run, and a hash to keep it under once it is valid, or None.

        Raises RequestError if there is none, or it may not be run.
        """

    def keep(self, digest: str, text: str) -> None:
        """Keep a text that was found to be valid under its hash."""


class AutomaticDocuments:
    """Automatic persisted queries: texts that clients store under their SHA-256, as Apollo does.

    The LRU cache is bounded by bytes: a client that stores many makes others send theirs again,
    and nothing worse. A text is always that of its hash.
    """

    is_open = True

    def __init__(self) -> None:
        self._kept: BoundedCache[str] = BoundedCache(MAX_BYTES)

    @property
    def bytes(self) -> int:
        """What the texts take together."""
        return self._kept.bytes

    def find(
        self, query: str | None, document_id: str | None, _headers: Headers
    ) -> tuple[str, str | None]:
        """Return the text of a request, and its hash if it came with one."""
        if document_id is None:
            return _sent(query), None
        digest = document_id.removeprefix(PREFIX)
        if not query:
            kept = self._kept.get(digest)
            if kept is None:
                raise RequestError(400, "PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
            return kept, None
        if _digest(query) != digest:
            raise RequestError(400, _MISMATCH, "PERSISTED_QUERY_HASH_MISMATCH")
        return query, digest

    def keep(self, digest: str, text: str) -> None:
        """Keep a valid text, unless it is there already."""
        if self._kept.get(digest) is None:
            self._kept.add(digest, text, sys.getsizeof(text) + ENTRY_BYTES)


class TrustedDocuments:
    """An allow-list: no other texts run, whether sent by id, by hash or in full."""

    is_open = False

    def __init__(
        self,
        listed: Mapping[str, str],
        pages: Iterable[str] = (),
        exceptions: Collection[str] = (),
        parse: Callable[[str], DocumentNode] = parse,
    ) -> None:
        """Take the texts by their ids, and what else may run.

        `pages` are further texts. Of the exceptions, `introspection` lets documents run that ask
        for nothing but the schema, `playground` any text of a client that sends this name, which
        every client can. `parse` raises GraphQLError.
        """
        texts = [*listed.values(), *pages]
        self._texts: Final = frozenset(texts)
        self._by_id: Final = {_digest(text): text for text in texts} | {
            document_id.removeprefix(PREFIX): text for document_id, text in listed.items()
        }
        self._exceptions: Final = frozenset(exceptions)
        self._parse: Final = parse

    def find(
        self, query: str | None, document_id: str | None, headers: Headers
    ) -> tuple[str, str | None]:
        """Return the text of a request, and None, for none is kept."""
        if document_id is not None:
            text = self._by_id.get(document_id.removeprefix(PREFIX))
            if text is not None:
                if query and query != text:
                    raise RequestError(400, _MISMATCH, "PERSISTED_QUERY_HASH_MISMATCH")
                return text, None
            if not query:
                raise RequestError(400, _NOT_IN_LIST, "PERSISTED_QUERY_NOT_IN_LIST")
        text = _sent(query)
        if text in self._texts or self._is_excepted(text, headers):
            return text, None
        raise RequestError(400, _NOT_IN_LIST, "PERSISTED_QUERY_NOT_IN_LIST")

    def keep(self, digest: str, text: str) -> None:
        """Keep nothing: clients can't add to the list."""

    def _is_excepted(self, text: str, headers: Headers) -> bool:
        if "playground" in self._exceptions and headers.get(CLIENT) == [b"playground"]:
            return True
        if "introspection" not in self._exceptions or "__" not in text:
            return False
        try:
            return _is_introspection(self._parse(text))
        except GraphQLError:
            return False


def read_manifest(file: Path) -> dict[str, str]:
    """Return the texts of a file by their ids, as Relay, graphql-codegen and Apollo write them.

    Raises ValueError, which names the file and says what is wrong with it.
    """
    try:
        return _texts(orjson.loads(file.read_bytes()))
    except OSError as why:
        message = f"{file} can't be read: {why.strerror}"
    except orjson.JSONDecodeError as why:
        message = f"{file} is not JSON: {why}"
    except ValueError as why:
        message = f"{file} {why}"
    raise ValueError(message)


def _sent(query: str | None) -> str:
    """Return the text that was sent. Raises RequestError if there is none."""
    if query is None or not query.strip():
        raise RequestError(400, _MISSING)
    return query


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _texts(content: Any) -> dict[str, str]:  # noqa: ANN401 — whatever JSON is
    """Return the texts of a parsed manifest by their ids. Raises ValueError."""
    texts: dict[str, str] = {}
    for document_id, text in _entries(content):
        if not isinstance(document_id, str) or not isinstance(text, str) or not text.strip():
            message = f"has no text under the id {document_id!r}"[:200]
            raise ValueError(message)
        if texts.setdefault(document_id, text) != text:
            message = f"has two texts under the id {document_id!r}"[:200]
            raise ValueError(message)
    if not texts:
        message = "lists no document"
        raise ValueError(message)
    return texts


def _entries(content: Any) -> Iterable[tuple[Any, Any]]:  # noqa: ANN401 — whatever JSON is
    """Return a manifest's ids and texts, unchecked. Raises ValueError for another format."""
    if isinstance(content, dict) and content.get("format") == APOLLO:
        operations = content.get("operations")
        if content.get("version") == 1 and isinstance(operations, list):
            entries = [each if isinstance(each, dict) else {} for each in operations]
            return [(each.get("id"), each.get("body")) for each in entries]
    elif isinstance(content, dict):
        return content.items()
    message = f"is neither an object of ids and texts nor version 1 of {APOLLO}"
    raise ValueError(message)


def _is_introspection(document: DocumentNode) -> bool:
    """Return whether all that a document asks for is the schema."""
    operations = [n for n in document.definitions if isinstance(n, OperationDefinitionNode)]
    return all(
        operation.operation is OperationType.QUERY
        and isinstance(field, FieldNode)
        and field.name.value in _META
        for operation in operations
        for field in operation.selection_set.selections
    )
