"""Differences of students over seeds and items: equal arms are not told apart, a planted effect is found."""

from __future__ import annotations

import numpy as np
import pytest

from tracemill.training.contrast import difference, seed_noise, seeds_needed, sentence, two_way


def scores(effect: float, seed: int, n_seeds: int = 5, noise: float = 0.04, n_items: int = 300) -> np.ndarray:
    """Right or wrong answers of one arm: items differ in difficulty, seeds in skill."""
    rng = np.random.default_rng(seed)
    difficulty = np.random.default_rng(99).beta(1.2, 1.2, n_items)
    skill = effect + rng.normal(0, noise, (n_seeds, 1))
    return (rng.random((n_seeds, n_items)) < np.clip(difficulty + skill, 0, 1)).astype(float)


def test_equal_arms_are_not_told_apart() -> None:
    """Of 400 comparisons of an arm with itself one in twenty or fewer says that there is a difference."""
    shown = sum(difference(scores(0, 2 * n), scores(0, 2 * n + 1)).is_shown for n in range(400))
    assert shown <= 32  # of 20 expected; 32 or more come once in 300 such tests


def test_an_interval_over_items_alone_would_tell_equal_arms_apart() -> None:
    """Why seeds count: with one seed each, intervals over items exclude 0 far too often."""
    wrongly = 0
    for number in range(200):
        steps = (scores(0, 2 * number, 1) - scores(0, 2 * number + 1, 1))[0]
        wrongly += abs(steps.mean()) > 1.97 * steps.std(ddof=1) / np.sqrt(len(steps))
    assert wrongly > 20


@pytest.mark.parametrize(("by_seed", "by_item"), [(0.05, 0.3), (0.2, 0.1), (0.0, 0.3)])
def test_intervals_hold_the_true_difference(by_seed: float, by_item: float) -> None:
    """In 93 to 99 of 100 cases, seeds and items drawn anew, whichever of them the noise comes from."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(1000):
        steps = 0.1 + rng.normal(0, by_seed, (5, 1)) + rng.normal(0, by_item, (1, 80)) + rng.normal(0, 0.3, (5, 80))
        found = two_way(steps).interval()
        held += found is not None and found.low <= 0.1 <= found.high
    assert 0.93 <= held / 1000 <= 0.995


def test_a_planted_effect_is_found() -> None:
    """Twenty points between right and wrong traces are found with five seeds, and the sentence says which is ahead."""
    found = difference(scores(0.2, 1), scores(0, 2))
    assert found.is_shown
    assert sentence("right", "wrong", found).startswith("Students trained on right score higher than those on wrong")
    back = difference(scores(0, 2), scores(0.2, 1))
    assert sentence("wrong", "right", back).startswith("Students trained on right score higher than those on wrong")


def test_no_difference_is_a_result() -> None:
    """Where the interval holds 0 the sentence says that none was found, with the interval."""
    found = difference(scores(0.0, 3), scores(0, 4))
    assert sentence("a", "b", found).startswith("No difference was found: a − b is ")


def test_one_seed_shows_nothing() -> None:
    """There is no interval, and the sentence says why."""
    found = difference(scores(0.5, 1, 1), scores(0, 2, 1))
    assert (found.interval, found.is_shown, found.detectable) == (None, False, None)
    assert "without a second one" in sentence("a", "b", found)


@pytest.mark.parametrize(("noise", "detect", "expected"), [(0.0, 0.05, 2), (0.1, 0.05, 64), (0.02, 0.05, 4)])
def test_seeds_follow_from_the_noise(noise: float, detect: float, expected: int) -> None:
    """An arm's noise against itself says how many seeds find a difference in 8 of 10 cases."""
    assert abs(seeds_needed(noise, detect) - expected) <= 1


def test_a_table_without_spread_is_certain() -> None:
    """Equal cells have no error; rows alone, or columns alone, carry all of it where only they differ."""
    assert two_way(np.full((3, 10), 0.5)).error == 0
    rows = np.repeat(np.array([[0.1], [0.2], [0.3]]), 10, axis=1)
    assert two_way(rows).error == pytest.approx(0.1 / np.sqrt(3))
    assert seed_noise(rows) == pytest.approx(0.1)
    assert seed_noise(rows[:1]) is None
