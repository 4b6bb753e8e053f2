"""Tests of faults of a running server: kills, full disks, and databases that fail."""
