"""Tests: the same tree as gql_app, on real databases and real servers."""
