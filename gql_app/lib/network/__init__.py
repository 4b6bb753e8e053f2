"""Addresses of clients, and the networks that they are in."""
