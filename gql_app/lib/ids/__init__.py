"""Identifiers: UUIDs of version 7, which sort by the time they were made."""

from gql_app.lib.ids.uuid7 import made_at, new_id, new_request_id, parse_id

__all__ = ["made_at", "new_id", "new_request_id", "parse_id"]
