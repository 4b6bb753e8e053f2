"""Batching, by itself."""
