"""The Prefect tasks, one group of stages a module; ``engine`` is what all of them share."""
