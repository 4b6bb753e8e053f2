"""Tests of reading from standbys; those that need a real one are in tests/faults/."""
