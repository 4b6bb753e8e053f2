"""Password hashes of other systems."""

from gql_app.lib.hashes.formats import UNKNOWN, fault, matches, parse

__all__ = ["UNKNOWN", "fault", "matches", "parse"]
