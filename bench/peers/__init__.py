"""Other ways to build the same server, to be compared with ours."""
