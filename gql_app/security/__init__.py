"""Keys, tokens, passwords and ids: without a database or HTTP."""
