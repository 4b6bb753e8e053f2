"""The verifier that other services use."""
