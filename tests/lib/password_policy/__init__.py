"""Tests of the password policy."""
