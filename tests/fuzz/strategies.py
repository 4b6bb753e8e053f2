"""Strategies of fuzzing: valid and invalid documents, bodies, and requests as bytes."""

import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import hypothesis.strategies as st
from graphql import NameNode, ObjectFieldNode, ValueNode
from hypothesis_graphql import Mode, mutations, nodes, queries

from tests.processes import ROOT

SCHEMA: Final = (ROOT / "schema.graphql").read_text(encoding="utf-8")
MEMBERS: Final = ("id", "rawId", "type", "response", "clientDataJSON", "signature", "userHandle")
"""Names of JSON members, those of a passkey's credential."""


def _object(members: Mapping[str, ValueNode]) -> ValueNode:
    """Return an object literal of GraphQL."""
    fields = [
        ObjectFieldNode(name=NameNode(value=name), value=each) for name, each in members.items()
    ]
    return nodes.Object(fields)


SCALARS: Final = {
    "DateTime": st.one_of(
        st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"), st.text(max_size=40)
    ).map(nodes.String),
    "JSON": st.recursive(
        st.one_of(
            st.text(max_size=40).map(nodes.String),
            st.integers().map(nodes.Int),
            st.booleans().map(nodes.Boolean),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map(nodes.List),
            st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=7).map(_object),
        ),
    ),
}
PIECES: Final = (
    *"{}()[]:!$&|=@\"'\\#,. \n\t\0\ufeff\ud800",
    "query",
    "mutation",
    "subscription",
    "fragment F on Query",
    "...F",
    "... on Customer",
    "@include(if: true)",
    "@skip(if: $v)",
    "$v: [[ID!]!]! = null",
    "__schema { types { name } }",
    "__typename",
    "me",
    "customers(first: 500)",
    "nodes { sessions { id } }",
    "0x7f",
    "-0",
    "9" * 400,
    "1e999",
    '"""',
    "\\u{110000}",
)


def documents(mode: Mode) -> st.SearchStrategy[str]:
    """Return documents that are valid by the schema, or invalid in one place."""
    return st.one_of(
        queries(SCHEMA, custom_scalars=SCALARS, mode=mode),
        mutations(SCHEMA, custom_scalars=SCALARS, mode=mode),
    )


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Return a document with something inserted or overwritten."""
    document = draw(documents(Mode.POSITIVE))
    start = draw(st.integers(0, len(document)))
    end = draw(st.integers(start, min(start + 40, len(document))))
    piece = draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)))
    return document[:start] + piece * draw(st.integers(1, 60)) + document[end:]


JSON: Final[st.SearchStrategy[object]] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=20), inner, max_size=5)
    ),
)
BOUND: Final = """query Q($first: Int, $after: String, $filter: CustomerFilter, $id: ID!) {
  customers(first: $first, after: $after, filter: $filter) { nodes { id name } totalCount }
  customer(id: $id) { id }
}"""


PERSISTED: Final = st.fixed_dictionaries(
    {"version": st.one_of(st.just(1), JSON), "sha256Hash": st.one_of(st.just("a" * 64), JSON)}
)


@st.composite
def urls(draw: st.DrawFn) -> str:
    """Return the query of a URL: any parameters, some repeated, or any text."""
    values = st.one_of(
        st.just(BOUND), st.sampled_from(PIECES), st.builds(json.dumps, JSON), st.text(max_size=20)
    )
    names = st.sampled_from(["query", "operationName", "variables", "extensions", "documentId"])
    pairs = draw(st.lists(st.tuples(names, values), max_size=6))
    text = urlencode([(name, value.encode("utf-8", "replace")) for name, value in pairs])
    cut = draw(st.integers(0, len(text)))
    return draw(st.sampled_from([text, text, text[:cut], f"{text[:cut]}%ff&={text[cut:]}"]))


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Return a body: a request with members of any type, other JSON, or any bytes."""
    members = st.fixed_dictionaries(
        {},
        optional={
            "query": st.one_of(st.just(BOUND), st.sampled_from(PIECES), JSON),
            "operationName": st.one_of(st.just("Q"), JSON),
            "variables": st.one_of(
                st.dictionaries(st.sampled_from(["first", "after", "filter", "id"]), JSON), JSON
            ),
            "extensions": st.one_of(
                st.fixed_dictionaries({"persistedQuery": st.one_of(PERSISTED, JSON)}), JSON
            ),
            "documentId": JSON,
            "token": JSON,
        },
    )
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=400))
    text = json.dumps(draw(st.one_of(members, JSON)), ensure_ascii=draw(st.booleans()))
    raw = text.encode("utf-8", "surrogatepass")
    cut = draw(st.integers(0, len(raw)))
    return draw(st.sampled_from([raw, raw, raw, raw[:cut], raw[:cut] + b"\xff" + raw[cut:]]))


LINES: Final = (
    b"Host: 127.0.0.1",
    b"Host: 127.0.0.1",
    b"Host:",
    b"Content-Type: application/json",
    b"Content-Type: application/json; charset=utf-16",
    b"Content-Length: 30",
    b"Content-Length: 0",
    b"Content-Length: -1",
    b"Content-Length: +30",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: \x0bchunked",
    b"Content-Encoding: gzip",
    b"Expect: 100-continue",
    b"Connection: close",
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"Accept: application/graphql-response+json",
    b"Accept: text/html;q=x",
    b"Authorization: Bearer",
    b"Authorization: Bearer a.b.c",
    b"Authorization: \xff\xfe",
    b"X-Forwarded-For: 1.2.3.4",
    b" folded",
    b"no colon",
    b": no name",
    b"Nul: \0",
    b"Long: " + b"x" * 20_000,
)
STARTS: Final = (
    b"POST /graphql HTTP/1.1",
    b"POST /graphql HTTP/1.1",
    b"POST /graphql HTTP/1.0",
    b"POST /graphql HTTP/9.9",
    b"POST http://elsewhere/graphql HTTP/1.1",
    b"POST /%67raphql/../%00 HTTP/1.1",
    b"POST //graphql HTTP/1.1",
    b"GET /graphql?query=%7Bme%7Bid%7D%7D HTTP/1.1",
    b"HEAD /graphql?query=%7B__typename%7D&variables=%ff HTTP/1.1",
    b"GET /graphql?\xff HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"HEAD /graphql HTTP/1.1",
    b"CONNECT graphql:80 HTTP/1.1",
    b"TRACE /graphql HTTP/1.1",
    b"PRI * HTTP/2.0",
    b"get /graphql HTTP/1.1",
    b"POST /graphql",
    b"",
)
CONTENTS: Final = (
    b'{"query": "{ __typename }"}   ',
    b'1e\r\n{"query": "{ __typename }"}   \r\n0\r\n\r\n',
    b"1e\r\nshort",
    b"ffffffffffffffffff\r\n",
    b"-1\r\n\r\n0\r\n\r\n",
    b"0\r\n\r\nPOST /graphql HTTP/1.1\r\n\r\n",
    b"\x1f\x8b\x08\x00",
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Return bytes that resemble one or two HTTP requests, or any bytes."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.binary(max_size=300))
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"]))
    sent = b""
    for _ in range(draw(st.integers(1, 2))):
        lines = draw(st.lists(st.sampled_from(LINES), max_size=6))
        start = draw(st.one_of(st.sampled_from(STARTS), st.binary(max_size=30)))
        content = draw(st.one_of(st.sampled_from(CONTENTS), st.binary(max_size=40)))
        sent += end.join([start, *lines, b"", b""]) + content
    return sent
