"""Tests of looking passwords up in a list of stolen ones."""
