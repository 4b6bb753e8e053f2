"""GraphQL over HTTP: what a request asks for, persisted documents, and how it is answered."""

from gql_app.lib.graphql_http.documents import (
    AutomaticDocuments,
    DocumentSource,
    TrustedDocuments,
    read_manifest,
)
from gql_app.lib.graphql_http.errors import RequestError
from gql_app.lib.graphql_http.negotiation import accepts_html, negotiate
from gql_app.lib.graphql_http.requests import (
    METHODS,
    Headers,
    RequestReader,
    headers_of,
    mutation_by_get,
    read_body,
)
from gql_app.lib.graphql_http.responses import outcome, write

__all__ = [
    "METHODS",
    "AutomaticDocuments",
    "DocumentSource",
    "Headers",
    "RequestError",
    "RequestReader",
    "TrustedDocuments",
    "accepts_html",
    "headers_of",
    "mutation_by_get",
    "negotiate",
    "outcome",
    "read_body",
    "read_manifest",
    "write",
]
