"""Tests of gql_app/security, a module for each topic."""
