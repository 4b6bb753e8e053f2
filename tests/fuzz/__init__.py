"""Fuzzing: generated documents, bodies and bytes, sent to a real server."""
