"""Stages of an evaluation: its items, answers to them by a student or from a file, judged samples, scores."""
