"""A market: the application that these tests build on the public API alone."""
