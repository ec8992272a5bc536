"""Mathematical answers: read as text, compared by text, symbolically and numerically."""
