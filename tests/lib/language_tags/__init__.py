"""Tests of language tags."""
