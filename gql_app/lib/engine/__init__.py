"""GraphQL documents: parsed, limited, validated, compiled and executed."""

from gql_app.lib.engine.complexity import ListSizes
from gql_app.lib.engine.documents import (
    BoundedCache,
    Document,
    ExecutionContext,
    InvalidDocument,
)
from gql_app.lib.engine.engine import (
    Engine,
    GraphQLRequest,
    NotAQuery,
    OperationTimeout,
)
from gql_app.lib.engine.executor import CompiledExecutor
from gql_app.lib.engine.generated import LazyRows
from gql_app.lib.engine.limits import MAX_ERRORS, Limits
from gql_app.lib.engine.schema import Schema, cached_per_document, selected_fields

__all__ = [
    "MAX_ERRORS",
    "BoundedCache",
    "CompiledExecutor",
    "Document",
    "Engine",
    "ExecutionContext",
    "GraphQLRequest",
    "InvalidDocument",
    "LazyRows",
    "Limits",
    "ListSizes",
    "NotAQuery",
    "OperationTimeout",
    "Schema",
    "cached_per_document",
    "selected_fields",
]
