"""Password hashes: Argon2id, and those of other systems."""

from gql_app.lib.hashes.hasher import Hasher
from gql_app.lib.hashes.other_systems import UNKNOWN, fault, matches

__all__ = ["UNKNOWN", "Hasher", "fault", "matches"]
