"""Clients that nobody here wrote, each with its own defaults, on one running server."""
