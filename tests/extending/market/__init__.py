"""A market: an application that uses only the public API."""
