"""Tests of the examples, each run as its readers would run it."""
