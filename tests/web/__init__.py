"""Tests of gql_app/web, a module for each topic."""
