"""Second factors: the resolvers of what gql_app/factors does."""
