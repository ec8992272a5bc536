"""Overlap with benchmarks, by text, by vectors and by a judge. Imported by module."""
