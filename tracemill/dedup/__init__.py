"""Exact, MinHash and semantic duplicates, and references that contradict each other. Imported by module."""
