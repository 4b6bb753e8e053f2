"""Tests of gql_app/schema, a module for each topic."""
