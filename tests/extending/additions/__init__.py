"""Additions that a builder makes, each in a module of its own that imports the public API alone."""
