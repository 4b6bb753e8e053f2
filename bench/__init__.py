"""Benchmarks that compare implementations side by side; none of them is a test."""
