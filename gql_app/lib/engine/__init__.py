"""GraphQL documents: parsed, limited, validated, compiled and executed."""

from gql_app.lib.engine.completion import LazyRows
from gql_app.lib.engine.complexity import ListSizes
from gql_app.lib.engine.documents import Document, InvalidDocument
from gql_app.lib.engine.engine import Engine, GraphQLRequest, OperationTimeout
from gql_app.lib.engine.limits import Limits
from gql_app.lib.engine.schema import Schema
from gql_app.lib.engine.selection import ExecutionContext, cached_per_document, selected_fields
from gql_app.lib.engine.validation import MAX_ERRORS

__all__ = [
    "MAX_ERRORS",
    "Document",
    "Engine",
    "ExecutionContext",
    "GraphQLRequest",
    "InvalidDocument",
    "LazyRows",
    "Limits",
    "ListSizes",
    "OperationTimeout",
    "Schema",
    "cached_per_document",
    "selected_fields",
]
