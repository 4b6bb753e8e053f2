"""Tests of password hashes of other systems."""
