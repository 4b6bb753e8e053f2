"""A small shop: an example of an application built on gql_app."""
