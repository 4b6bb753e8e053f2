"""Tests of client addresses."""
