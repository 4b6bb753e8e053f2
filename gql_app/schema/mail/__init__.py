"""Mail: the resolvers of what gql_app/mail does by letters and their links."""
