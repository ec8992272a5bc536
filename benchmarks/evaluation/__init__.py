"""Scores of student models: whether their error bars keep their promise."""
