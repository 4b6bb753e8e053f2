"""Tests of password hashes from other systems."""
