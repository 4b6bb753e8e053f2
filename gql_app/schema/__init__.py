"""What schema.graphql says, in Python: GraphQL only, no SQL and no HTTP."""
