"""Tests of gql_app/web, noun by noun."""
