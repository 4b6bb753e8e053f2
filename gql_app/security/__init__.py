"""Keys, tokens, passwords and ids: pure, with no database and no HTTP."""
