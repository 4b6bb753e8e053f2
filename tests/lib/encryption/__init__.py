"""Tests of the encryption of secrets at rest."""
