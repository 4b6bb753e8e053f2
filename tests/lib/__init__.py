"""Tests of gql_app/lib, package by package."""
