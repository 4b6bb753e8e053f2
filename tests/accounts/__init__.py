"""Tests of gql_app/accounts, a module for each topic."""
