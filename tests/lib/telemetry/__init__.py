"""Tests of lib/telemetry."""
