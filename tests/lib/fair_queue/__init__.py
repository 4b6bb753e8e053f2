"""Tests of the fair queue."""
