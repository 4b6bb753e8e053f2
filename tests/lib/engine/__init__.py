"""Tests of the engine, by a schema of their own."""
