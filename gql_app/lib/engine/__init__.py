"""GraphQL documents: parsed, limited, validated, compiled and executed."""

from gql_app.lib.engine.complexity import ListSizes
from gql_app.lib.engine.documents import BoundedCache, Document, InvalidDocument
from gql_app.lib.engine.engine import Engine, GraphQLRequest, NotAQuery, OperationTimeout
from gql_app.lib.engine.errors import ErrorMapper
from gql_app.lib.engine.limits import MAX_ERRORS, Limits
from gql_app.lib.engine.rows import Columns, LazyRows, Nested
from gql_app.lib.engine.schema import NESTED, Schema, cached_per_document, selected_fields
from gql_app.lib.engine.stored_inputs import dump_inputs, load_inputs

__all__ = [
    "MAX_ERRORS",
    "NESTED",
    "BoundedCache",
    "Columns",
    "Document",
    "Engine",
    "ErrorMapper",
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
    "load_inputs",
    "selected_fields",
]
