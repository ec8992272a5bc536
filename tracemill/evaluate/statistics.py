"""Numbers with error bars: pure functions over the means of items.

The unit is the item, not the sample: samples of one item are alike, and an interval that takes them for independent
holds the truth in 47 of 100 cases where it promises 95 (30 items, 16 samples; ``benchmarks.evaluation.coverage``).
References: Miller, arXiv 2411.00640 (clusters by item, paired comparisons); Chen et al., arXiv 2107.03374 (pass@k).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CONFIDENCE: Final = 0.95
POWER: Final = 0.8
RESAMPLES: Final = 10_000
FEW_ITEMS: Final = 100  # below, a bootstrap stands beside the t interval, which is an approximation there
ALIKE: Final = 0.8  # correlation of two models' item means, where there is no baseline that would tell
_DIGITS: Final = 6  # of published figures: beyond, processors differ
_FLIPS: Final = 100_000
_MOST_SUMS: Final = 1 << 22  # of the exact distribution: 32 MB


class Interval(NamedTuple):
    """An interval that holds the true value in 95 of 100 cases."""

    low: float
    high: float

    def within(self, lowest: float, highest: float) -> Interval:
        """Return the part that is possible."""
        return Interval(max(self.low, lowest), min(self.high, highest))

    @property
    def half(self) -> float:
        """Half of its width: what stands behind ±."""
        return (self.high - self.low) / 2


class Estimate(NamedTuple):
    """A mean and how well it is known.

    Attributes:
        mean: of the items' values; with several benchmarks the mean of their means.
        error: its standard error; None where one item cannot tell.
        freedom: degrees of freedom of the error.
        n: items.
    """

    mean: float
    error: float | None
    freedom: float
    n: int

    def interval(self, confidence: float = CONFIDENCE) -> Interval | None:
        """Return the interval by Student's t; None where the error is not known."""
        if self.error is None:
            return None
        half = t_quantile(self.freedom, (1 + confidence) / 2) * self.error
        return Interval(self.mean - half, self.mean + half)


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean of some items' values with its error; the order of the values changes no bit.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("no item: there is no mean of nothing")
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(mean, None, 0, 1)
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    return Estimate(mean, math.sqrt(variance / n), n - 1, n)


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean of several benchmarks' means: each counts the same, however many items it has.

    The degrees of freedom are Welch's and Satterthwaite's.

    Raises:
        ValueError: there are none.
    """
    if not estimates:
        raise ValueError("no benchmark: there is no mean of nothing")
    n, n_items = len(estimates), sum(one.n for one in estimates)
    mean = math.fsum(one.mean for one in estimates) / n
    if any(one.error is None for one in estimates):
        return Estimate(mean, None, 0, n_items)
    parts = [((one.error or 0.0) ** 2 / n**2, one.freedom) for one in estimates]
    variance = math.fsum(part for part, _ in parts)
    spread = math.fsum(part**2 / freedom for part, freedom in parts)
    freedom = variance**2 / spread if spread > 0 else math.fsum(freedom for _, freedom in parts)
    return Estimate(mean, math.sqrt(variance), freedom, n_items)


def score_interval(values: Sequence[float]) -> Interval | None:
    """Return the 95 % interval of a mean of values from 0 to 1, by t over the items.

    Where all items are alike at 0 or 1, t knows no spread and would claim certainty: there it is the exact binomial
    bound over items (Clopper and Pearson), as for one sample of each. None of a single item.
    """
    if len(values) < 2:
        return None
    if all(value == values[0] for value in values) and values[0] in {0.0, 1.0}:
        bound = ((1 - CONFIDENCE) / 2) ** (1 / len(values))
        return Interval(bound, 1.0) if values[0] == 1.0 else Interval(0.0, 1 - bound)
    found = estimate(values).interval()
    return None if found is None else found.within(0.0, 1.0)


def bootstrap_interval(groups: Sequence[Sequence[float]], seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Return the 95 % percentile interval of the mean of the groups' means, items drawn anew within each group.

    Args:
        groups: the items' values, a group a benchmark; their order changes nothing.
        seed: of the draws.
        resamples: draws.

    Raises:
        ValueError: a group is empty.
    """
    if not groups or not all(groups):
        raise ValueError("no item: nothing can be drawn from")
    rng = np.random.default_rng(seed)
    means = np.zeros(resamples)
    for group in groups:
        values = np.sort(np.asarray(group, dtype=np.float64))
        means += values[rng.integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means / len(groups), [tail, 1 - tail])
    return Interval(float(low), float(high))


def pass_at(n: int, n_correct: int, j: int) -> float:
    """Return the unbiased estimate that one of ``j`` samples is right: 1 − C(n−c, j) / C(n, j).

    Args:
        n: samples that were judged.
        n_correct: of those, right.
        j: how many tries.

    Raises:
        ValueError: fewer samples than tries, or more right ones than samples.
    """
    if not 0 <= n_correct <= n or not 1 <= j <= n:
        raise ValueError(f"pass@{j} of {n_correct} right ones among {n} samples; expected: 1 <= j <= n, 0 <= c <= n")
    return 1 - math.comb(n - n_correct, j) / math.comb(n, j)


def majority(votes: Sequence[str | None], right: Sequence[bool]) -> float:
    """Return how right the most frequent answer is: 1, 0, or between where several are as frequent.

    Args:
        votes: the answer of each sample, equal where the verifier takes them for the same; None has no vote.
        right: whether the sample is correct.
    """
    counts: dict[str, int] = {}
    verdicts: dict[str, bool] = {}
    for vote, is_right in zip(votes, right, strict=True):
        if vote is not None:
            counts[vote] = counts.get(vote, 0) + 1
            verdicts[vote] = verdicts.get(vote, False) or is_right
    if not counts:
        return 0.0
    most = max(counts.values())
    winners = [vote for vote, count in counts.items() if count == most]
    return sum(verdicts[vote] for vote in winners) / len(winners)


class SignFlip(NamedTuple):
    """A sign-flip test.

    Attributes:
        p: how often chance alone gives a mean difference as large, if neither side is better.
        is_exact: over all 2^n flips; else over a sample of them.
    """

    p: float
    is_exact: bool


def sign_flip(numerators: Sequence[int]) -> SignFlip:
    """Return the two-sided test that paired differences are as likely positive as negative.

    Args:
        numerators: the differences over one common denominator: whole numbers, so that the distribution of their sum
            over all flips is reckoned whole, however many items there are.
    """
    sizes = sorted(abs(number) for number in numerators if number)
    divisor = math.gcd(*sizes) if sizes else 1
    sizes = [size // divisor for size in sizes]
    total, observed = sum(sizes), abs(sum(numerators)) // divisor
    if 2 * total + 1 > _MOST_SUMS:
        return _sampled_flips(sizes, observed)
    chances: NDArray[np.float64] = np.zeros(2 * total + 1)
    chances[total] = 1.0
    reach = 0
    for size in sizes:
        around = chances[total - reach : total + reach + 1] / 2
        reach += size
        chances[total - reach : total + reach + 1] = 0.0
        chances[total - reach : total + reach + 1 - 2 * size] += around
        chances[total - reach + 2 * size : total + reach + 1] += around
    tail = math.fsum(chances[total + observed :])
    return SignFlip(1.0 if observed == 0 else min(1.0, 2 * tail), is_exact=True)


def _sampled_flips(sizes: Sequence[int], observed: int) -> SignFlip:
    """Return the test over a seeded sample of flips; the observed one counts among them, so that p is never 0."""
    rng, values = np.random.default_rng(0), np.asarray(sizes, dtype=np.float64)
    extreme, step = 0, max(1, 10_000_000 // len(values))
    for start in range(0, _FLIPS, step):
        signs = rng.integers(0, 2, (min(step, _FLIPS - start), len(values)), dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ values) >= observed).sum())
    return SignFlip((extreme + 1) / (_FLIPS + 1), is_exact=False)


def detectable(error: float, freedom: float) -> float:
    """Return the smallest true difference that is found in 80 of 100 cases, at 95 % confidence.

    Args:
        error: standard error of the difference.
        freedom: its degrees of freedom.
    """
    return (t_quantile(freedom, (1 + CONFIDENCE) / 2) + t_quantile(freedom, POWER)) * error


def error_beside_another(error: float) -> float:
    """Return the standard error of the difference from a model that is as variable, and alike by :data:`ALIKE`."""
    return error * math.sqrt(2 * (1 - ALIKE))


def t_quantile(freedom: float, share: float) -> float:
    """Return the value below which Student's t stays in this share of cases."""
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    return float(stdtrit(freedom, share))


def rounded(value: float | None) -> float | None:
    """Return a figure as it is published."""
    return None if value is None else round(value, _DIGITS)


def bounds(interval: Interval | None) -> list[float] | None:
    """Return an interval as it is published."""
    return None if interval is None else [round(interval.low, _DIGITS), round(interval.high, _DIGITS)]
