"""Tests of files that hold secrets."""
