"""Mail: the outbox of letters, and the operations of their links."""
