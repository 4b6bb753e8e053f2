"""Tests of the types of settings."""
