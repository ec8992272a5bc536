"""The pure core of tracemill: rows, recipe, store, and what every stage decides. Knows neither Prefect nor Docker."""
