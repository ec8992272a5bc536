"""Scores of student models with error bars: statistics over items, paired comparisons, the report."""

from __future__ import annotations

from tracemill.evaluate.paired import compared, overall_difference, paired_difference
from tracemill.evaluate.scores import ItemScore, JudgedSample, item_scores, overall, score_of

__all__ = [
    "ItemScore",
    "JudgedSample",
    "compared",
    "item_scores",
    "overall",
    "overall_difference",
    "paired_difference",
    "score_of",
]
