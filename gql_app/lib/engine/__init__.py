"""GraphQL documents: parsed, limited, validated, compiled and executed."""

from gql_app.lib.engine.complexity import ListSizes
from gql_app.lib.engine.documents import (
    Document,
    ExecutionContext,
    InvalidDocument,
    cached_per_document,
)
from gql_app.lib.engine.engine import (
    DEADLINE_EXCEEDED,
    Engine,
    GraphQLRequest,
    OperationTimeout,
    UnreadableValue,
    client_errors,
    outcome,
    retry_after,
)
from gql_app.lib.engine.executor import CompiledExecutor
from gql_app.lib.engine.generated import LazyRows
from gql_app.lib.engine.limits import Limits
from gql_app.lib.engine.schema import Schema
from gql_app.lib.engine.selection import selected_fields
from gql_app.lib.engine.types import CURSORS, DATE_TIME, OrderDirection, PageInfo

__all__ = [
    "CURSORS",
    "DATE_TIME",
    "DEADLINE_EXCEEDED",
    "CompiledExecutor",
    "Document",
    "Engine",
    "ExecutionContext",
    "GraphQLRequest",
    "InvalidDocument",
    "LazyRows",
    "Limits",
    "ListSizes",
    "OperationTimeout",
    "OrderDirection",
    "PageInfo",
    "Schema",
    "UnreadableValue",
    "cached_per_document",
    "client_errors",
    "outcome",
    "retry_after",
    "selected_fields",
]
