"""Pages for browsers: those of the links in letters, and the playground; their files lie beside."""
