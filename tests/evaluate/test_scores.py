"""Scores of benchmarks, by their samples."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tracemill.core import Outcome, pretty_json
from tracemill.evaluate import JudgedSample, compared, item_scores, overall, overall_difference, score_of
from tracemill.evaluate.scores import REFUSED


def sample(item: int, index: int, outcome: str = "correct", benchmark: str = "b", **more: Any) -> JudgedSample:
    return JudgedSample(benchmark, str(item), index, f"p{item}", f"r{item}.{index}", outcome, **more)


def samples(rates: list[list[int]], benchmark: str = "b") -> list[JudgedSample]:
    names = {1: "correct", 0: "incorrect"}
    return [
        sample(item, index, names[right], benchmark, vote="right" if right else "wrong")
        for item, row in enumerate(rates)
        for index, right in enumerate(row)
    ]


def test_a_score_is_the_mean_over_items_of_the_mean_over_samples() -> None:
    """An item with more samples than another counts no more."""
    score = score_of(item_scores(samples([[1, 1, 1, 0], [0, 1], [0, 0, 0]]), votes=["b"]))
    assert score.avg == pytest.approx((0.75 + 0.5 + 0) / 3)
    assert score.maj == pytest.approx((1 + 0.5 + 0) / 3)
    assert score.pass_at == {1: pytest.approx(1.25 / 3), 2: pytest.approx((1 + 1 + 0) / 3)}
    assert score.samples == 2


def test_no_byte_depends_on_the_order_of_rows() -> None:
    """Rows may come as they please."""
    rng = random.Random(0)  # noqa: S311 - reproducible, not secret
    rows = samples([[rng.randint(0, 1) for _ in range(4)] for _ in range(40)])
    told = pretty_json(score_of(item_scores(rows)).as_json())
    rng.shuffle(rows)
    assert pretty_json(score_of(item_scores(rows)).as_json()) == told


def test_what_is_open_stands_beside_the_score() -> None:
    """Cut off, unanswered and unverifiable are 0; the bounds say what the score is if they are all right or wrong."""
    rows = [
        sample(0, 0),
        sample(0, 1, "unfinished", finish_reason="length"),
        sample(1, 0, "no_answer"),
        sample(1, 1, "unverifiable", cause="response"),
        sample(2, 0, "incorrect"),
        sample(2, 1, "timeout", cause="response"),
        sample(3, 0, finish_reason="length"),
        sample(3, 1),
    ]
    score = score_of(item_scores(rows))
    assert score.avg == pytest.approx((0.5 + 0 + 0 + 1) / 4)
    assert score.shares == {"cut_off": 2 / 8, "no_answer": 1 / 8, "unverifiable": 1 / 8}
    assert (score.lowest, score.highest) == pytest.approx(((0.5 + 0.5) / 4, (1 + 1 + 0 + 1) / 4))
    assert score.is_complete


@pytest.mark.parametrize("outcome", [REFUSED, str(Outcome.SANDBOX_ERROR)])
def test_a_failure_of_the_infrastructure_makes_a_score_incomplete_and_never_lower(outcome: str) -> None:
    """What was judged is the score; the bounds are wider by what is missing; an item without any is not scored."""
    rows = [sample(0, 0), sample(0, 1, outcome), sample(1, 0, "incorrect"), sample(1, 1), sample(2, 0, outcome)]
    score = score_of(item_scores(rows))
    assert not score.is_complete
    assert score.avg == pytest.approx((1 + 0.5) / 2)
    assert (score.n_items, score.n_scored, score.n_missing) == (3, 2, 2)
    assert (score.lowest, score.highest) == pytest.approx(((0.5 + 0.5 + 0) / 3, (1 + 0.5 + 1) / 3))


def test_nothing_that_was_judged_is_no_score_of_zero() -> None:
    """A run in which everything failed says so."""
    score = score_of(item_scores([sample(0, 0, REFUSED), sample(1, 0, REFUSED)]))
    assert score.avg is None
    assert (score.lowest, score.highest) == (0, 1)


def test_answers_that_cannot_be_compared_have_no_majority() -> None:
    """Programs have none."""
    assert score_of(item_scores(samples([[1, 0], [1, 1]]))).maj is None


def test_several_benchmarks_are_the_mean_of_their_means() -> None:
    """However many items one has; one alone has no mean over benchmarks."""
    one, two = item_scores(samples([[1], [0]])), item_scores(samples([[1]] * 9 + [[0]], "c"))
    found = overall({"b": one, "c": two})
    assert found is not None
    assert found.avg == pytest.approx((0.5 + 0.9) / 2)
    assert overall({"b": one}) is None


def test_a_difference_is_paired_by_item() -> None:
    """What both find hard cancels out: the interval is narrower than either score's, and other items do not count."""
    rng = random.Random(2)  # noqa: S311 - reproducible, not secret
    hard = [rng.random() for _ in range(80)]
    base = [[int(rng.random() < rate) for _ in range(8)] for rate in hard]
    better = [[max(right, int(rng.random() < 0.2)) for right in row] for row in base]
    a, b = item_scores(samples(base)), item_scores(samples([*better, [1] * 8]))
    found = compared(a, b)
    assert found is not None
    assert (found.n, found.only_b, found.n_worse) == (80, 1, 0)
    assert found.is_shown
    assert found.flip.p < 1e-6
    assert found.flip.is_exact
    score = score_of(a)
    assert found.interval is not None
    assert score.interval is not None
    assert found.interval.half < score.interval.half / 2
    assert compared(b, a).mean == pytest.approx(-found.mean)  # type: ignore[union-attr]


def test_a_model_is_not_told_apart_from_itself() -> None:
    """No difference, p of 1, and the smallest that could have been seen is not known."""
    rows = item_scores(samples([[1, 0], [0, 0], [1, 1]]))
    found = compared(rows, rows)
    assert found is not None
    assert (found.mean, found.flip.p, found.is_shown) == (0, 1, False)
    assert compared(rows, item_scores([sample(9, 0)])) is None


def test_a_difference_over_benchmarks_is_the_mean_of_the_paired_ones() -> None:
    """Each counts the same."""
    a, b = item_scores(samples([[0], [0], [1]])), item_scores(samples([[1], [0], [1]]))
    found = overall_difference({"x": (a, b), "y": (a, a)})
    assert found is not None
    assert found.mean == pytest.approx(1 / 6)
