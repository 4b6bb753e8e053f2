"""Machinery that knows no customer: packages with one face each."""
