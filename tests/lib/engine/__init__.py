"""Tests of the engine, on separate schemas."""
