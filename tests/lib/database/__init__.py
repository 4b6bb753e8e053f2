"""Tests of lib/database, on an SQLite file and a real PostgreSQL server."""
