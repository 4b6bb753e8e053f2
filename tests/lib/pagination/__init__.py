"""What lib/pagination does."""
