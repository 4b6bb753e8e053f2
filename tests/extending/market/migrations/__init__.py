"""The migrations of the market's tables."""
