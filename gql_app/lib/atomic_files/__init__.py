"""Files that hold secrets: for their owner only, and never seen half-written."""

from gql_app.lib.atomic_files.files import create, creating, replace, replacing, require_private

__all__ = ["create", "creating", "replace", "replacing", "require_private"]
