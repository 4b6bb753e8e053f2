"""What nobody thought of: made-up documents, bodies and bytes, sent to a real server."""
