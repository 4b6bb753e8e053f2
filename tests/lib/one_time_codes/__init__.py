"""Tests of one-time passwords."""
