"""Tests of the public API, and of applications built on it."""
