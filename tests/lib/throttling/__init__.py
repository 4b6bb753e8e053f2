"""Tests of throttling."""
