"""Numbers with error bars."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from tracemill.evaluate.paired import paired_difference
from tracemill.evaluate.statistics import (
    bootstrap_interval,
    detectable,
    estimate,
    majority,
    mean_of,
    pass_at,
    score_interval,
    sign_flip,
    t_quantile,
)


@pytest.mark.parametrize("n", range(1, 13))
def test_pass_at_j_is_the_share_of_all_draws_with_a_right_one(n: int) -> None:
    """For every number of right samples and of tries, it is what all subsets come to."""
    for n_correct, j in itertools.product(range(n + 1), range(1, n + 1)):
        samples = [index < n_correct for index in range(n)]
        draws = list(itertools.combinations(samples, j))
        assert pass_at(n, n_correct, j) == pytest.approx(sum(map(any, draws)) / len(draws))


@pytest.mark.parametrize(("n", "n_correct", "j"), [(4, 5, 1), (4, 1, 5), (4, 1, 0), (4, -1, 1)])
def test_pass_at_j_refuses_what_cannot_be(n: int, n_correct: int, j: int) -> None:
    """Fewer samples than tries are never stretched."""
    with pytest.raises(ValueError, match="expected: 1 <= j <= n"):
        pass_at(n, n_correct, j)


@pytest.mark.parametrize(
    ("votes", "right", "score"),
    [
        (["a", "a", "b"], [True, True, False], 1.0),
        (["a", "b", "b"], [True, False, False], 0.0),
        (["a", "b"], [True, False], 0.5),
        (["a", "b", "c"], [False, False, True], 1 / 3),
        (["a", None, None], [True, False, False], 1.0),
        ([None, None], [False, False], 0.0),
    ],
)
def test_the_majority_counts_and_ties_are_averaged(votes: list[str | None], right: list[bool], score: float) -> None:
    """A sample without an answer has no vote."""
    assert majority(votes, right) == pytest.approx(score)


def test_t_quantiles_are_those_of_the_tables() -> None:
    """Of 29 degrees of freedom 2.045, of one 12.706, of many 1.96."""
    assert [round(t_quantile(freedom, 0.975), 3) for freedom in (29, 1, 1e9)] == [2.045, 12.706, 1.96]


def test_an_interval_over_items_is_students() -> None:
    """Mean ± t · s / √n, cut to what a score can be."""
    values = [0.0, 0.25, 0.5, 0.75, 1.0]
    half = 2.7764451 * np.std(values, ddof=1) / np.sqrt(5)
    assert score_interval(values) == pytest.approx((0.5 - half, 0.5 + half))
    assert score_interval([0.0, 0.0, 0.0, 0.2])[0] == 0.0  # type: ignore[index]


def test_a_perfect_score_is_not_certain() -> None:
    """Thirty of thirty items leave room for one in nine that is wrong; one item says nothing."""
    assert score_interval([1.0] * 30) == pytest.approx((0.8843, 1.0), abs=1e-4)
    assert score_interval([0.0] * 30) == pytest.approx((0.0, 0.1157), abs=1e-4)
    assert score_interval([1.0]) is None


def test_no_bit_depends_on_the_order_of_items() -> None:
    """VerifierResources, intervals, bootstraps, tests are equal, not alike."""
    values = np.random.default_rng(1).random(60).tolist()
    steps = [Fraction(int(value * 16) - 7, 16) for value in values]
    shuffled, other = values[::-1], steps[::-1]
    assert estimate(values) == estimate(shuffled)
    assert score_interval(values) == score_interval(shuffled)
    assert bootstrap_interval([values]) == bootstrap_interval([shuffled])
    assert paired_difference(steps) == paired_difference(other)


def test_the_bootstrap_is_near_the_t_interval_and_seeded() -> None:
    """Of items that are spread like a normal variable both are the same within a tenth of their width."""
    values = np.clip(np.random.default_rng(3).normal(0.5, 0.1, 80), 0, 1).tolist()
    drawn, exact = bootstrap_interval([values]), score_interval(values)
    assert exact is not None
    assert drawn == bootstrap_interval([values])
    assert drawn.low == pytest.approx(exact.low, abs=0.1 * exact.half)
    assert drawn.high == pytest.approx(exact.high, abs=0.1 * exact.half)


def test_benchmarks_count_the_same_however_many_items_they_have() -> None:
    """The mean of two means, and its error that of two independent ones."""
    small, large = estimate([0.0, 1.0] * 5), estimate([0.8, 1.0] * 100)
    both = mean_of([small, large])
    assert both.mean == pytest.approx((0.5 + 0.9) / 2)
    assert both.error == pytest.approx(((small.error or 0) ** 2 + (large.error or 0) ** 2) ** 0.5 / 2)
    assert both.freedom < 10


def test_a_sign_flip_test_counts_all_flips() -> None:
    """Its p is the share of the 2^n sign patterns with a sum as large."""
    steps = [3, -1, 4, 1, -2, 5, 0, 2]
    flips = itertools.product((1, -1), repeat=len(steps))
    sums = [abs(sum(sign * step for sign, step in zip(signs, steps, strict=True))) for signs in flips]
    found = sign_flip(steps)
    assert found.is_exact
    assert found.p == pytest.approx(sum(size >= abs(sum(steps)) for size in sums) / len(sums))


def test_a_sign_flip_test_that_is_too_large_is_sampled() -> None:
    """Denominators that have nothing in common: a seeded sample, near what the exact one would say."""
    exact = sign_flip([10] * 12 + [-10] * 4)
    sampled = sign_flip([10_000_019] * 12 + [-10_000_033] * 4)
    assert not sampled.is_exact
    assert sampled.p == pytest.approx(exact.p, abs=0.05)
    assert sign_flip([0, 0]).p == 1.0


def test_what_can_be_detected_is_found_in_four_of_five_cases() -> None:
    """The smallest detectable difference, if it is the true one, is significant in about 80 of 100 simulations."""
    rng, n = np.random.default_rng(5), 60
    true = detectable(0.3 / n**0.5, n - 1)
    found = 0
    for _ in range(400):
        values = rng.normal(true, 0.3, n)
        interval = estimate(values.tolist()).interval()
        found += interval is not None and interval.low > 0
    assert 0.72 <= found / 400 <= 0.88
