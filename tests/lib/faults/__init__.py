"""Tests of what an operator is told."""
