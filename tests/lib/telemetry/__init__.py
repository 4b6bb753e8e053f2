"""What lib/telemetry does."""
