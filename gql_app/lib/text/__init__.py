"""Text of clients: normalised once its length is bounded."""
