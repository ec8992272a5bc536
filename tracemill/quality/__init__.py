"""Filters on responses: form, repetition, leaks, perplexity, safety, frequent strings. Imported by module."""
