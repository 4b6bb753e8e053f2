"""Mail: the resolvers for gql_app/mail, of letters and their links."""
