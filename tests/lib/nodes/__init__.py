"""Tests of gql_app.lib.nodes."""
