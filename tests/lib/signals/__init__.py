"""Tests of the signals that end a command."""
