"""How verdicts on one response combine, and where a cut is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.core import Outcome, Verdict
from tracemill.select import settled
from tracemill.select.calibration import calibration_set, quantile_threshold
from tracemill.select.verdicts import rule_of, settled_by_response

C, I, U, T, E = Outcome.CORRECT, Outcome.INCORRECT, Outcome.UNVERIFIABLE, Outcome.TIMEOUT, Outcome.SANDBOX_ERROR  # noqa: E741
RULE, JUDGE, REWARD, RUBRIC = "math@3", "judge-equivalence@1", "score-reward@1", "score-rubric@1"


def verdict(verifier: str, outcome: Outcome) -> Verdict:
    return Verdict("r", "p", outcome, None, verifier, None, "")


@pytest.mark.parametrize(
    ("outcomes", "verifier", "outcome"),
    [
        ({RULE: C}, RULE, C),
        ({RULE: I}, RULE, I),
        ({RULE: C, JUDGE: I}, RULE, C),
        ({RULE: I, JUDGE: C}, JUDGE, C),
        ({RULE: I, JUDGE: I}, JUDGE, I),
        ({RULE: I, JUDGE: U}, RULE, I),
        ({RULE: U, JUDGE: C}, JUDGE, C),
        ({RULE: U, JUDGE: I}, JUDGE, I),
        ({RULE: U, JUDGE: U}, RULE, U),
        ({RULE: T, JUDGE: C}, JUDGE, C),
        ({RULE: T, JUDGE: U}, RULE, T),
        ({RULE: U, REWARD: C}, REWARD, C),
        ({RULE: U, REWARD: I}, REWARD, I),
        ({RULE: U, REWARD: U}, RULE, U),
        ({RULE: I, REWARD: C}, RULE, I),
        ({RULE: T, REWARD: C}, RULE, T),
        ({RULE: E, REWARD: C}, RULE, E),
        ({RULE: U, REWARD: C, RUBRIC: C}, REWARD, C),
        ({RULE: U, REWARD: C, RUBRIC: I}, RUBRIC, I),
        ({RULE: U, REWARD: I, RUBRIC: C}, REWARD, I),
        ({RULE: U, REWARD: U, RUBRIC: C}, RUBRIC, C),
        ({RULE: U, REWARD: C, JUDGE: I}, JUDGE, I),
        ({RULE: U, REWARD: I, JUDGE: C}, JUDGE, C),
    ],
)
def test_the_verdict_that_counts(outcomes: dict[str, Outcome], verifier: str, outcome: Outcome) -> None:
    """A rule's correct stands, then a judge's conclusion, then scores where the rule has none, then the rule."""
    found = settled([verdict(name, said) for name, said in outcomes.items()])
    assert (found.verifier, found.outcome) == (verifier, outcome)


OPINIONS = st.dictionaries(st.sampled_from([JUDGE, REWARD, RUBRIC]), st.sampled_from([C, I, U]))


@given(st.sampled_from(list(Outcome)), OPINIONS, st.randoms())
def test_order_does_not_matter_and_models_only_decide_by_conclusions(
    rule: Outcome, said: dict[str, Outcome], random: object
) -> None:
    """Any order of verdicts settles the same, and what counts is the rule's verdict or a model's conclusion."""
    verdicts = [verdict(RULE, rule), *(verdict(name, outcome) for name, outcome in said.items())]
    expected = settled(verdicts)
    random.shuffle(verdicts)  # type: ignore[attr-defined]
    assert settled(verdicts) == expected == settled_by_response(verdicts)["r"]
    assert expected == rule_of(verdicts) or expected.outcome in {C, I}
    assert rule != C or expected.verifier == RULE


@pytest.mark.parametrize(
    ("scores", "quantile", "cut"),
    [
        ([], 0.5, None),
        ([3.0], 0.5, 3.0),
        ([1, 2, 3, 4], 0.5, 2),
        ([4, 3, 2, 1], 0.5, 2),
        ([1, 2, 3, 4], 0.25, 1),
        ([1, 2, 3, 4], 0.75, 3),
        ([1, 2, 3, 4], 0.01, 1),
        ([1, 2, 3, 4], 0.99, 4),
        ([1, 1, 1, 2], 0.5, 1),
        ([1, 2, 2, 2], 0.5, 2),
        (list(range(1, 101)), 0.55, 55),
        ([-1.0, -3.0, -2.0], 0.5, -2.0),
    ],
)
def test_quantile_cut(scores: list[float], quantile: float, cut: float | None) -> None:
    """The cut is the smallest score that at least that share does not exceed."""
    assert quantile_threshold(scores, quantile) == cut


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.floats(0.01, 0.99))
def test_no_more_than_asked_for_pass(scores: list[float], quantile: float) -> None:
    """The cut is a score, and the share above it is at most what the quantile leaves."""
    cut = quantile_threshold(scores, quantile)
    assert cut in scores
    assert sum(score > cut for score in scores) <= (1 - quantile) * len(scores) + 1e-6


@pytest.mark.parametrize(
    ("size", "limit", "chosen"),
    [(2, None, {"b", "d"}), (9, None, {"b", "d", "e"}), (9, 4, {"b", "d"}), (1, 4, {"b"}), (9, 1, set())],
)
def test_calibration_problems_are_the_first_by_id(size: int, limit: int | None, chosen: set[str]) -> None:
    """Chosen are the first problems of the scored categories, among those that the limit lets through."""
    problems = [("e", "other"), ("d", "other"), ("c", "math"), ("b", "other"), ("a", "math")]
    assert calibration_set(problems, {"other"}, size, limit) == chosen
