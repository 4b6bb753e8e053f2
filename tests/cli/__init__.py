"""Tests of the commands for customers, single ones and all of them."""
