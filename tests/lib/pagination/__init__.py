"""Tests of lib/pagination."""
