"""Static files, compressed when they were built, and answered from memory."""

from gql_app.lib.static_files.files import CACHE_CONTROL, StaticFiles

__all__ = ["CACHE_CONTROL", "StaticFiles"]
