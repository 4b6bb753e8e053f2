"""Keyset pagination of any table, as GraphQL connections."""

from gql_app.lib.pagination.listing import (
    DEFAULT_SIZE,
    MAX_COUNT,
    MAX_SIZE,
    InvalidArgument,
    Listing,
    Page,
    QueryReader,
    Selection,
    Window,
)
from gql_app.lib.pagination.statements import NOTHING, Condition, ListQuery, VisibleColumn
from gql_app.lib.pagination.text_search import NGRAM_ARRAY, TextSearch

__all__ = [
    "DEFAULT_SIZE",
    "MAX_COUNT",
    "MAX_SIZE",
    "NGRAM_ARRAY",
    "NOTHING",
    "Condition",
    "InvalidArgument",
    "ListQuery",
    "Listing",
    "Page",
    "QueryReader",
    "Selection",
    "TextSearch",
    "VisibleColumn",
    "Window",
]
