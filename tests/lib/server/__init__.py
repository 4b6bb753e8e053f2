"""Tests of gql_app/lib/server, noun by noun."""
