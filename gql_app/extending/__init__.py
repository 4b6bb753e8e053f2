"""The implementation of the public API: features, and what they add."""
