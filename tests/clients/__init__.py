"""Tests of third-party clients, each with its own defaults, on one running server."""
