"""Sections of a recipe, one module a stage."""
