"""GraphQL over HTTP: what a request asks for, persisted documents, and how it is answered."""

from gql_app.lib.graphql_http.documents import (
    AutomaticDocuments,
    DocumentSource,
    Headers,
    TrustedDocuments,
    read_manifest,
)
from gql_app.lib.graphql_http.errors import RequestError
from gql_app.lib.graphql_http.messages import (
    RequestReader,
    Written,
    headers_of,
    leading_to,
    media_type_of,
    mutation_by_get,
    other_than_graphql,
    outcome,
    read_body,
    to_json,
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
    "Written",
    "headers_of",
    "leading_to",
    "media_type_of",
    "mutation_by_get",
    "negotiate",
    "other_than_graphql",
    "outcome",
    "read_body",
    "read_manifest",
    "to_json",
    "write",
]
