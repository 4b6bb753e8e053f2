"""Relay, its compiler and its runtime, and linters of schemas."""
