"""Tests of gql_app/schema, noun by noun."""
