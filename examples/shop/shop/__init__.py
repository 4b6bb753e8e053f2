"""A small shop: an example application on gql_app."""
