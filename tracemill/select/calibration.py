"""The score above which an open answer passes, chosen once per dataset from the scores of a calibration set.

The set is the first problems by content id of the first batch. Content ids are digests, so this is a random sample; and
no later batch is in it, so the cut stays where it is while the dataset grows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


class Threshold(NamedTuple):
    """A cut and where it is from.

    Attributes:
        value: answers with a higher score pass; None if there was no score to choose it by.
        basis: for people.
    """

    value: float | None
    basis: str


def calibration_set(
    problems: Iterable[tuple[str, str]], categories: Collection[str], size: int, limit: int | None
) -> set[str]:
    """Ids of the calibration problems.

    Args:
        problems: id and category of every problem of the first batch.
        categories: those whose answers are scored.
        size: how many at most.
        limit: only the first so many of all problems are ever distilled, or None.
    """
    scored = [problem_id for problem_id, category in sorted(problems)[:limit] if category in categories]
    return set(scored[:size])


def quantile_threshold(scores: Sequence[float], quantile: float) -> float | None:
    """Return the smallest score that at least this share of the scores do not exceed; None of no scores.

    One of the scores itself, not a value between two: the same on every machine. With ties fewer pass than asked for.
    """
    if not scores:
        return None
    rank = math.ceil(round(quantile * len(scores), 9))  # 0.55 * 100 is 55.00000000000001
    return sorted(scores)[rank - 1]
