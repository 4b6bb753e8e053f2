"""GraphQL over HTTP: what a request asks for, persisted documents, and how it is answered."""

from gql_app.lib.graphql_http.browsing import leading_to, other_than_graphql
from gql_app.lib.graphql_http.documents import (
    AutomaticDocuments,
    DocumentSource,
    TrustedDocuments,
    documents_of,
    read_manifest,
)
from gql_app.lib.graphql_http.errors import RequestError
from gql_app.lib.graphql_http.messages import (
    Headers,
    RequestReader,
    headers_of,
    mutation_by_get,
    outcome,
    read_body,
    write,
)
from gql_app.lib.graphql_http.negotiation import negotiate

__all__ = [
    "AutomaticDocuments",
    "DocumentSource",
    "Headers",
    "RequestError",
    "RequestReader",
    "TrustedDocuments",
    "documents_of",
    "headers_of",
    "leading_to",
    "mutation_by_get",
    "negotiate",
    "other_than_graphql",
    "outcome",
    "read_body",
    "read_manifest",
    "write",
]
