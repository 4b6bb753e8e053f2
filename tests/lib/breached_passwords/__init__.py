"""Tests of the look-up of breached passwords."""
