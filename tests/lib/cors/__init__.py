"""Tests of CORS."""
