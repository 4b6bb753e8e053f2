"""Tests of what a builder adds to the application, and of how it is written."""
