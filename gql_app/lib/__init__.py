"""Machinery that knows no customer: each package has one face and a README."""
