"""Tests of trusted hosts."""
