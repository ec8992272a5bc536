"""What scores of students say: a difference with an interval over seeds and items, and the noise of a seed.

A student's score differs from that of another seed by more than its items tell (8 to 15 points were seen between seeds
of one arm, with an interval of ± 5 over items), so an interval over items alone promises too much. Here seeds and items
are both drawn from many: the variance of the mean of a table of seeds × items is that of its row means, plus that of
its column means, less that of its cells, which both have counted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tracemill.evaluate.statistics import CONFIDENCE, POWER, Estimate, detectable, t_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracemill.evaluate.statistics import Interval

_MOST_SEEDS: Final = 200


def two_way(cells: NDArray[np.float64]) -> Estimate:
    """Return the mean of a table with its error over seeds and items; None of a single seed.

    Args:
        cells: seeds × items; scores of an arm, or paired differences of two arms.

    Raises:
        ValueError: the table is empty.
    """
    n_seeds, n_items = cells.shape
    if not cells.size:
        raise ValueError("no cell: there is no mean of nothing")
    mean = float(cells.mean())
    if n_seeds < 2 or n_items < 2:
        return Estimate(mean, None, 0, n_items)
    seeds = float(cells.mean(axis=1).var(ddof=1)) / n_seeds
    items = float(cells.mean(axis=0).var(ddof=1)) / n_items
    rest = cells - cells.mean(axis=1, keepdims=True) - cells.mean(axis=0, keepdims=True) + mean
    both = float((rest**2).sum()) / ((n_seeds - 1) * (n_items - 1)) / (n_seeds * n_items)
    variance = max(seeds + items - both, seeds, items)
    if variance == 0:
        return Estimate(mean, 0.0, n_seeds - 1, n_items)
    freedom = (seeds + items) ** 2 / (seeds**2 / (n_seeds - 1) + items**2 / (n_items - 1))
    return Estimate(mean, math.sqrt(variance), freedom, n_items)


class Found(NamedTuple):
    """A difference of two arms.

    Attributes:
        mean: minuend − subtrahend, as a share of the items.
        interval: 95 %, over seeds and items; None of fewer than two seeds.
        n_seeds: seeds that both arms have.
        detectable: the smallest true difference that would be found in 80 of 100 cases.
    """

    mean: float
    interval: Interval | None
    n_seeds: int
    detectable: float | None

    @property
    def is_shown(self) -> bool:
        """Whether the interval excludes no difference."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


def difference(ahead: NDArray[np.float64], behind: NDArray[np.float64]) -> Found:
    """Return the paired difference of two arms, seed by seed and item by item.

    Args:
        ahead: seeds × items.
        behind: the same seeds and items.
    """
    found = two_way(ahead - behind)
    can_show = detectable(found.error, found.freedom) if found.error else None
    return Found(found.mean, found.interval(), len(ahead), can_show)


def seed_noise(scores: NDArray[np.float64]) -> float | None:
    """Return the standard deviation of an arm's score from seed to seed; None of a single seed."""
    return float(scores.mean(axis=1).std(ddof=1)) if len(scores) > 1 else None


def seeds_needed(noise: float, detect: float) -> int:
    """Return seeds of each arm by which a true difference is found in 80 of 100 cases, if nothing but seeds differs.

    By the noise of one arm against itself: two equal arms differ by √2 times that.

    Args:
        noise: standard deviation from seed to seed.
        detect: the difference.
    """
    for n_seeds in range(2, _MOST_SEEDS):
        error = noise * math.sqrt(2 / n_seeds)
        freedom = 2 * (n_seeds - 1)
        if (t_quantile(freedom, (1 + CONFIDENCE) / 2) + t_quantile(freedom, POWER)) * error <= detect:
            return n_seeds
    return _MOST_SEEDS


def sentence(ahead: str, behind: str, found: Found) -> str:
    """Return what the comparison comes to, in one sentence that may say that no difference was found."""
    told = f"{100 * found.mean:+.1f} points"
    if found.interval is None:
        return (
            f"Nothing is shown: {ahead} − {behind} is {told} with {found.n_seeds} seed(s), and without a second one "
            "nobody knows how much of that is chance."
        )
    around = f"{told}, 95 % from {100 * found.interval.low:+.1f} to {100 * found.interval.high:+.1f}"
    basis = f"over {found.n_seeds} seeds and all items"
    if found.is_shown:
        better, worse = (ahead, behind) if found.mean > 0 else (behind, ahead)
        return (
            f"Students trained on {better} score higher than those on {worse}: {ahead} − {behind} is {around} {basis}."
        )
    return f"No difference was found: {ahead} − {behind} is {around} {basis}."
