"""Tests of reading from standbys, but for those that take a real one: tests/faults/."""
