"""Tests of gql_app.lib.faults: errors for operators."""
