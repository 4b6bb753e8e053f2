"""GraphQL documents: parsed, limited, validated, compiled and executed."""

from gql_app.lib.engine.complexity import ListSizes
from gql_app.lib.engine.documents import (
    Document,
    ExecutionContext,
    InvalidDocument,
)
from gql_app.lib.engine.engine import (
    Engine,
    GraphQLRequest,
    OperationTimeout,
)
from gql_app.lib.engine.executor import CompiledExecutor
from gql_app.lib.engine.limits import MAX_ERRORS, Limits
from gql_app.lib.engine.rows import LazyRows, OfRows
from gql_app.lib.engine.schema import OF_ROWS, Schema, cached_per_document, selected_fields

__all__ = [
    "MAX_ERRORS",
    "OF_ROWS",
    "CompiledExecutor",
    "Document",
    "Engine",
    "ExecutionContext",
    "GraphQLRequest",
    "InvalidDocument",
    "LazyRows",
    "Limits",
    "ListSizes",
    "OfRows",
    "OperationTimeout",
    "Schema",
    "cached_per_document",
    "selected_fields",
]
