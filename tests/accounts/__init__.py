"""Tests of gql_app/accounts, noun by noun."""
