"""What lib/outbox does."""
