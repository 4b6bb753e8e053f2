"""Tests of the machinery, a folder for each package."""
