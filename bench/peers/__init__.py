"""Other implementations of the same server, to compare with ours."""
