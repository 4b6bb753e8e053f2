"""Keyset connections over any table."""
