"""Tests of the machinery, each package on its own."""
