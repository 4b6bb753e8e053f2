"""What stands behind the public API: features, and what they add."""
