"""HTTP only: requests in, responses out."""
