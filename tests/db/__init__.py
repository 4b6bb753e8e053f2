"""Tests of gql_app/db: the tables, the engine and the migrations."""
