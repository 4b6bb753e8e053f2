"""Schemas made of parts, side by side."""
