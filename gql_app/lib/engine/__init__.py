"""GraphQL documents: parsed, limited, validated, compiled and executed."""

from gql_app.lib.engine.complexity import ListSizes
from gql_app.lib.engine.documents import BoundedCache, Document, InvalidDocument
from gql_app.lib.engine.engine import Engine, GraphQLRequest, NotAQuery, OperationTimeout
from gql_app.lib.engine.error_sources import is_denial, is_of_value
from gql_app.lib.engine.limits import MAX_ERRORS, Limits
from gql_app.lib.engine.rows import LazyRows, Nested
from gql_app.lib.engine.schema import NESTED, Schema, cached_per_document, selected_fields
from gql_app.lib.engine.stored_inputs import dump_inputs, load_inputs

__all__ = [
    "MAX_ERRORS",
    "NESTED",
    "BoundedCache",
    "Document",
    "Engine",
    "GraphQLRequest",
    "InvalidDocument",
    "LazyRows",
    "Limits",
    "ListSizes",
    "Nested",
    "NotAQuery",
    "OperationTimeout",
    "Schema",
    "cached_per_document",
    "dump_inputs",
    "is_denial",
    "is_of_value",
    "load_inputs",
    "selected_fields",
]
