"""Faults: what becomes of requests, and of what was acknowledged, when something breaks."""
