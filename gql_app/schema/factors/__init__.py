"""Second factors: the resolvers for gql_app/factors."""
