"""Measured claims, runnable."""
