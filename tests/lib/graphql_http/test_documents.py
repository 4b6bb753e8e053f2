"""Persisted documents: kept by their hashes, and trusted by a list."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from graphql import get_introspection_query, parse

from gql_app.lib.graphql_http import (
    AutomaticDocuments,
    DocumentSource,
    RequestError,
    TrustedDocuments,
    read_manifest,
)
from gql_app.lib.graphql_http.documents import MAX_BYTES

ME: Final = "query Me { me { name } }"
LIST: Final = "query List { list }"
PLAYGROUND: Final = {b"graphql-client-name": [b"playground"]}


def digest(text: str) -> str:
    """Return the hash by which clients name a text."""
    return sha256(text.encode()).hexdigest()


def refused(
    source: DocumentSource,
    query: str | None,
    document_id: str | None,
    headers: Mapping[bytes, list[bytes]] | None = None,
) -> str:
    """Return the code of a text that is not run; the status is 400."""
    with pytest.raises(RequestError) as caught:
        source.find(query, document_id, headers or {})
    assert (caught.value.status_code, caught.value.headers) == (400, None)
    return caught.value.code


def test_a_hash_is_asked_for_its_text_and_then_known() -> None:
    source = AutomaticDocuments()
    with pytest.raises(RequestError, match="PersistedQueryNotFound") as caught:
        source.find(None, digest(ME), {})
    assert caught.value.message == "PersistedQueryNotFound"
    assert caught.value.code == caught.value.outcome == "PERSISTED_QUERY_NOT_FOUND"
    assert source.find(ME, digest(ME), {}) == (ME, digest(ME))
    assert refused(source, None, digest(ME)) == "PERSISTED_QUERY_NOT_FOUND"  # it may be invalid
    source.keep(digest(ME), ME)
    source.keep(digest(ME), ME)
    for document_id in (digest(ME), f"sha256:{digest(ME)}"):
        for query in (None, ""):
            assert source.find(query, document_id, {}) == (ME, None)


def test_a_text_is_kept_under_no_other_hash() -> None:
    source = AutomaticDocuments()
    for other in (digest(LIST), digest(ME).upper(), f"md5:{digest(ME)}", "a", "é" * 64):
        assert refused(source, ME, other) == "PERSISTED_QUERY_HASH_MISMATCH"
        assert refused(source, None, other) == "PERSISTED_QUERY_NOT_FOUND"


def test_a_text_without_a_hash_is_not_kept() -> None:
    assert AutomaticDocuments().find(ME, None, {}) == (ME, None)
    for query in (None, "", " \n"):
        assert refused(AutomaticDocuments(), query, None) == "BAD_REQUEST"


def test_what_is_kept_is_bounded_and_what_is_used_stays() -> None:
    source = AutomaticDocuments()
    texts = [f"{{ {'é' * 30_000} }} # {n}" for n in range(200)]
    source.keep(digest(ME), ME)
    for text in texts:
        source.keep(digest(text), text)
        assert source.find(None, digest(ME), {}) == (ME, None)
        assert source.bytes <= MAX_BYTES
    assert source.find(None, digest(texts[-1]), {})
    assert refused(source, None, digest(texts[0])) == "PERSISTED_QUERY_NOT_FOUND"


TRUSTED: Final = TrustedDocuments({"me-1": ME, f"sha256:{digest(LIST)}": LIST}, ["{ own }"])


@pytest.mark.parametrize(
    ("query", "document_id", "text"),
    [
        (None, "me-1", ME),
        ("", "me-1", ME),
        (ME, "me-1", ME),
        (None, digest(ME), ME),
        (None, f"sha256:{digest(ME)}", ME),
        (None, digest(LIST), LIST),
        (None, f"sha256:{digest(LIST)}", LIST),
        (LIST, None, LIST),
        (LIST, "unknown", LIST),
        ("{ own }", None, "{ own }"),
        (None, digest("{ own }"), "{ own }"),
    ],
)
def test_what_is_listed_runs_by_its_id_its_hash_or_its_text(
    query: str | None, document_id: str | None, text: str
) -> None:
    assert TRUSTED.find(query, document_id, {}) == (text, None)


@pytest.mark.parametrize(
    ("query", "document_id", "code"),
    [
        (f"{ME} ", None, "PERSISTED_QUERY_NOT_IN_LIST"),
        ("{ __schema { types { name } } }", None, "PERSISTED_QUERY_NOT_IN_LIST"),
        ("{", None, "PERSISTED_QUERY_NOT_IN_LIST"),
        ("{ other }", "unknown", "PERSISTED_QUERY_NOT_IN_LIST"),
        ("{ other }", digest("{ other }"), "PERSISTED_QUERY_NOT_IN_LIST"),
        (None, "unknown", "PERSISTED_QUERY_NOT_IN_LIST"),
        (None, "ME-1", "PERSISTED_QUERY_NOT_IN_LIST"),
        (LIST, "me-1", "PERSISTED_QUERY_HASH_MISMATCH"),
        ("{ other }", "me-1", "PERSISTED_QUERY_HASH_MISMATCH"),
        (None, None, "BAD_REQUEST"),
    ],
)
def test_nothing_else_runs(query: str | None, document_id: str | None, code: str) -> None:
    assert refused(TRUSTED, query, document_id) == code
    assert refused(TRUSTED, query, document_id, PLAYGROUND) == code


def test_no_text_becomes_one_of_the_list() -> None:
    TRUSTED.keep(digest("{ other }"), "{ other }")
    assert refused(TRUSTED, None, digest("{ other }")) == "PERSISTED_QUERY_NOT_IN_LIST"


def test_the_playground_may_be_excepted() -> None:
    source = TrustedDocuments({"a": ME}, exceptions=["playground"])
    assert source.find("{ other }", None, PLAYGROUND) == ("{ other }", None)
    for headers in ({}, {b"graphql-client-name": [b"other"]}):
        assert refused(source, "{ other }", None, headers) == "PERSISTED_QUERY_NOT_IN_LIST"
    introspection = get_introspection_query()
    assert refused(source, introspection, None) == "PERSISTED_QUERY_NOT_IN_LIST"


@pytest.mark.parametrize(
    ("query", "runs"),
    [
        (get_introspection_query(), True),
        ('query A { a: __type(name: "A") { name } __typename } { __schema { __typename } }', True),
        ("{ __schema { __typename } me { name } }", False),
        ("{ __schema: me { name } }", False),
        ("{ ...A } fragment A on Query { __typename }", False),
        ("{ ... { __typename me { name } } }", False),
        ("mutation { __typename }", False),
        ("subscription { __typename }", False),
        ("{ __typename } mutation { login }", False),
        ("{ __schema", False),
    ],
)
def test_introspection_may_be_excepted_and_asks_for_nothing_else(query: str, *, runs: bool) -> None:
    source = TrustedDocuments({"a": ME}, exceptions=["introspection"])
    if runs:
        assert source.find(query, None, {}) == (query, None)
    else:
        assert refused(source, query, None, PLAYGROUND) == "PERSISTED_QUERY_NOT_IN_LIST"


APOLLO: Final = {
    "format": "apollo-persisted-query-manifest",
    "version": 1,
    "operations": [
        {"id": digest(ME), "body": ME, "name": "Me", "type": "query"},
        {"id": digest(LIST), "body": LIST, "name": "List", "type": "query"},
    ],
}


def manifest(folder: Path, content: object) -> Path:
    """Write a file of this content, as JSON unless it is bytes."""
    file = folder / "documents.json"
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return file


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ({"1" * 32: ME, "2" * 32: LIST}, {"1" * 32: ME, "2" * 32: LIST}),
        ({f"sha256:{digest(ME)}": ME}, {f"sha256:{digest(ME)}": ME}),
        (APOLLO, {digest(ME): ME, digest(LIST): LIST}),
        ({"format": ME}, {"format": ME}),
    ],
)
def test_lists_of_relay_codegen_and_apollo_are_read(
    tmp_path: Path, content: object, texts: dict[str, str]
) -> None:
    assert read_manifest(manifest(tmp_path, content)) == texts


def test_a_list_its_pages_and_its_exceptions_run_together(tmp_path: Path) -> None:
    listed = read_manifest(manifest(tmp_path, {"1": ME}))
    source = TrustedDocuments(listed, ["{ own }"], ["introspection"], parse)
    for text in (ME, "{ own }", "{ __typename }"):
        assert source.find(text, None, {}) == (text, None)
    assert refused(source, LIST, None) == "PERSISTED_QUERY_NOT_IN_LIST"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is not JSON: Input is a zero-length, empty document"),
        (b'{"a":\n', "is not JSON: unexpected end of data: line 2 column 1"),
        (b'\xef\xbb\xbf{"a": "{b}"}', "is not JSON: UTF-8 byte order mark"),
        (b'{"a": "\xff"}', "is not JSON: str is not valid UTF-8"),
        ([ME], "is neither an object of ids and texts nor version 1"),
        (APOLLO | {"version": 2}, "is neither an object of ids and texts nor version 1"),
        (APOLLO | {"operations": {}}, "is neither an object of ids and texts nor version 1"),
        (APOLLO | {"operations": [1]}, "has no text under the id None"),
        ({"a": 1}, "has no text under the id 'a'"),
        ({"a": " "}, "has no text under the id 'a'"),
        (
            APOLLO | {"operations": [{"id": "a", "body": ME}, {"id": "a", "body": LIST}]},
            "has two texts under the id 'a'",
        ),
        ({}, "lists no document"),
        (APOLLO | {"operations": []}, "lists no document"),
    ],
)
def test_any_other_file_is_refused_in_words(tmp_path: Path, content: object, fault: str) -> None:
    file = manifest(tmp_path, content)
    with pytest.raises(ValueError, match=re.escape(f"{file} {fault}")):
        read_manifest(file)


def test_file_that_can_not_be_read_is_named_with_the_cause(tmp_path: Path) -> None:
    for file, fault in ((tmp_path, "Is a directory"), (tmp_path / "no", "No such file")):
        with pytest.raises(ValueError, match=re.escape(f"{file} can't be read: {fault}")):
            read_manifest(file)
