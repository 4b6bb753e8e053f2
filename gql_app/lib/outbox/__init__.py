"""Letters that leave after the commit, and are tried again."""
