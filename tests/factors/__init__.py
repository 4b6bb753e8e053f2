"""Tests of second factors' rules."""
