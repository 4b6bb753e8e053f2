"""Tests of gql_app.verify, the token verifier for other services."""
