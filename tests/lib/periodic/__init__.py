"""Tests of the periodic tasks."""
