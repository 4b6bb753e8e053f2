"""Identifiers under their old name, until every import says gql_app.lib.ids."""

from gql_app.lib.ids import made_at, new_id, new_request_id, parse_id

__all__ = ["made_at", "new_id", "new_request_id", "parse_id"]
