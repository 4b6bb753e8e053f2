"""What befalls a running server, and what is left of it."""
