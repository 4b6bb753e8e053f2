"""What goes on by mail: the outbox, and what the links in letters do."""
