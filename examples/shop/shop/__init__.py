"""A small shop: what an application that is built on gql_app looks like."""
