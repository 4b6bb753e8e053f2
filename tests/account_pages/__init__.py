"""Tests of the account pages, which letters link to, in a real browser."""
