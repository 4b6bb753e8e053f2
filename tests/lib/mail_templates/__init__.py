"""Tests of templates of letters."""
