"""What lib/throttling does."""
