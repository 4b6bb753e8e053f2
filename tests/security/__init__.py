"""Tests of gql_app/security, noun by noun."""
