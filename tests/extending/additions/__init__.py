"""Examples of a builder's additions, each in one module that imports only the public API."""
