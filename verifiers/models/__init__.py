"""Verdicts by models: judges, reward models, rubrics."""
