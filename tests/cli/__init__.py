"""Tests of what the commands do with customers, one by one and all at once."""
