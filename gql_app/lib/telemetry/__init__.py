"""Log lines, metrics over processes, and traces."""
