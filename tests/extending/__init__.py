"""The public API, and applications that are made with it."""
