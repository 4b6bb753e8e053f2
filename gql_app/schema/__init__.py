"""The GraphQL schema and its resolvers: GraphQL only, no SQL and no HTTP."""
