"""Tests of gql_app/lib, a folder for each package."""
