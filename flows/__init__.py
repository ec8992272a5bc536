"""Prefect flows: four commands over ``phases`` (what a phase does) over ``engine`` (how it runs)."""
