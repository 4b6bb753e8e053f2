"""Tests of lib/outbox."""
