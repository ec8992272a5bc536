"""Two evaluations on the same items, compared item by item: what both find hard cancels out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tracemill.evaluate.statistics import (
    FEW_ITEMS,
    bootstrap_interval,
    bounds,
    detectable,
    estimate,
    mean_of,
    rounded,
    sign_flip,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracemill.evaluate.scores import ItemScore
    from tracemill.evaluate.statistics import Interval, SignFlip


@dataclass(frozen=True)
class Difference:
    """A difference of two scores on the items that both have.

    Attributes:
        n: items of both.
        n_better, n_worse: items in which the second is ahead, or behind.
        only_a, only_b: items that only one of them has, and that do not count.
        a, b: the scores on the items of both.
        mean: b − a.
        interval: 95 %, by t over the items' differences; None of one item.
        bootstrap: the same by a bootstrap over items, below 100 items.
        flip: the sign-flip test.
        detectable: the smallest true difference that these items would show in 80 of 100 cases.
        is_complete: whether every sample of both was judged.
    """

    n: int
    n_better: int
    n_worse: int
    only_a: int
    only_b: int
    a: float
    b: float
    mean: float
    interval: Interval | None
    bootstrap: Interval | None
    flip: SignFlip
    detectable: float | None
    is_complete: bool

    @property
    def is_shown(self) -> bool:
        """Whether the interval excludes no difference."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high

    def as_json(self) -> dict[str, Any]:
        """Return the figures for ``scores.json`` and ``tracemill diff --json``."""
        return {
            "items": self.n,
            "better": self.n_better,
            "worse": self.n_worse,
            "only_in_a": self.only_a,
            "only_in_b": self.only_b,
            "complete": self.is_complete,
            "a": rounded(self.a),
            "b": rounded(self.b),
            "difference": rounded(self.mean),
            "interval": bounds(self.interval),
            "bootstrap": bounds(self.bootstrap),
            "sign_flip_p": rounded(self.flip.p),
            "sign_flip_exact": self.flip.is_exact,
            "detectable_difference": rounded(self.detectable),
            "difference_shown": self.is_shown,
        }


def compared(a: Sequence[ItemScore], b: Sequence[ItemScore]) -> Difference | None:
    """Return the paired difference of two evaluations of one benchmark; None where they share no judged item.

    Args:
        a: items of the baseline.
        b: of the other.
    """
    left, right = _judged(a), _judged(b)
    shared = sorted(left.keys() & right.keys())
    if not shared:
        return None
    steps = [right[key] - left[key] for key in shared]
    found = paired_difference(steps)
    return Difference(
        n=len(shared),
        n_better=sum(step > 0 for step in steps),
        n_worse=sum(step < 0 for step in steps),
        only_a=len(a) - len(shared),
        only_b=len(b) - len(shared),
        a=estimate([float(left[key]) for key in shared]).mean,
        b=estimate([float(right[key]) for key in shared]).mean,
        mean=found.mean,
        interval=found.interval,
        bootstrap=found.bootstrap,
        flip=found.flip,
        detectable=found.detectable,
        is_complete=not any(item.n_missing for item in (*a, *b)),
    )


def _judged(items: Sequence[ItemScore]) -> dict[str, Fraction]:
    return {item.problem_id: Fraction(item.n_correct, item.n) for item in items if item.n}


@dataclass(frozen=True)
class PairedDifference:
    """The mean of paired differences with its error bars; see :class:`Difference`."""

    mean: float
    interval: Interval | None
    bootstrap: Interval | None
    flip: SignFlip
    detectable: float | None


def paired_difference(steps: Sequence[Fraction]) -> PairedDifference:
    """Return what paired differences say, each from −1 to 1; their order changes no bit.

    Raises:
        ValueError: there are none.
    """
    values = [float(step) for step in steps]
    found = estimate(values)
    denominator = math.lcm(*(step.denominator for step in steps))
    interval = found.interval()
    return PairedDifference(
        mean=found.mean,
        interval=interval.within(-1.0, 1.0) if interval else None,
        bootstrap=bootstrap_interval([values]) if 1 < len(values) < FEW_ITEMS else None,
        flip=sign_flip([int(step * denominator) for step in steps]),
        detectable=min(1.0, detectable(found.error, found.freedom)) if found.error else None,
    )


@dataclass(frozen=True)
class OverallDifference:
    """The mean over benchmarks of their paired differences, with the interval of independent strata."""

    benchmarks: int
    mean: float
    interval: Interval | None

    @property
    def is_shown(self) -> bool:
        """Whether the interval excludes no difference."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high

    def as_json(self) -> dict[str, Any]:
        """Return the figures for scripts."""
        return {
            "benchmarks": self.benchmarks,
            "difference": rounded(self.mean),
            "interval": bounds(self.interval),
            "difference_shown": self.is_shown,
        }


def overall_difference(
    pairs: Mapping[str, tuple[Sequence[ItemScore], Sequence[ItemScore]]],
) -> OverallDifference | None:
    """Return the mean of the benchmarks' differences; None of fewer than two that share items."""
    found = []
    for name in sorted(pairs):
        left, right = (_judged(items) for items in pairs[name])
        shared = sorted(left.keys() & right.keys())
        if shared:
            found.append(estimate([float(right[key] - left[key]) for key in shared]))
    if len(found) < 2:
        return None
    mean = mean_of(found)
    return OverallDifference(len(found), mean.mean, mean.interval())
