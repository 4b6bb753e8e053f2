"""Tests of Relay's compiler and runtime, and of schema linters."""
