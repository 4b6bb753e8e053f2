"""Tests of schemas composed of parts."""
