"""Signing keys: files, rotation and JWKS."""
