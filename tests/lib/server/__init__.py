"""Tests of gql_app/lib/server, a module for each topic."""
