"""Arms of a comparison: which traces each student is trained on, so that arms differ in one thing alone.

Matched arms have the same problems, one trace each, and as many tokens. Which of a problem's traces it is, and which
problems, is drawn anew for every seed, and alike for all arms.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from tracemill.core import Outcome, RecipeError, digest
from tracemill.recipe.sections.students import LEAST_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracemill.recipe.sections.students import Arm

TOLERANCE: Final = 0.002  # of tokens between matched arms


class Candidate(NamedTuple):
    """A response that an arm may hold.

    Attributes:
        id: of its problem.
        n_tokens: of prompt and response.
        outcome: of its verdict.
        published: whether it is in the dataset.
    """

    id: str
    response_id: str
    n_tokens: int
    outcome: str
    published: bool

    @property
    def is_right(self) -> bool:
        """Whether it was judged correct."""
        return self.outcome == Outcome.CORRECT

    @property
    def is_wrong(self) -> bool:
        """Whether it was judged incorrect; what could not be judged, or is no answer, is neither."""
        return self.outcome == Outcome.INCORRECT


def wrong_share(candidates: Sequence[Candidate]) -> float:
    """Return the share of wrong ones among those judged right or wrong; 0 of none."""
    n_wrong = sum(one.is_wrong for one in candidates)
    n_judged = n_wrong + sum(one.is_right for one in candidates)
    return n_wrong / n_judged if n_judged else 0.0


def draw_arms(
    candidates: Sequence[Candidate], arms: Sequence[Arm], seed: int, tokens: int | None = None
) -> dict[str, list[Candidate]]:
    """Return the traces of every arm, in random order; the same for the same candidates in any order.

    Args:
        candidates: all responses of the run.
        arms: of the recipe.
        seed: of the draws.
        tokens: of each matched arm, at most.

    Raises:
        RecipeError: an arm has too few traces, or ``tokens`` are more than there are.
    """
    ordered = sorted(candidates, key=lambda one: digest(seed, one.response_id))
    matched = [arm for arm in arms if arm.matched]
    drawn = _matched(ordered, matched, seed, tokens) if matched else {}
    drawn |= {arm.name: [one for one in ordered if _fits(one, arm)] for arm in arms if not arm.matched}
    for arm in arms:
        if len(drawn[arm.name]) < LEAST_ROWS:
            raise RecipeError(
                f"arm {arm.name} is too small to train on",
                got=f"{len(drawn[arm.name])} traces ({arm.traces})",
                expected=f"at least {LEAST_ROWS}",
                remedy="a run with more traces, more samples a problem, or a teacher that is wrong more often",
            )
    return {arm.name: drawn[arm.name] for arm in arms}


def _fits(one: Candidate, arm: Arm) -> bool:
    fits = {"published": one.published, "correct": one.is_right, "wrong": one.is_wrong, "all": True}
    return fits[arm.traces]


def _matched(
    ordered: Sequence[Candidate], arms: Sequence[Arm], seed: int, tokens: int | None
) -> dict[str, list[Candidate]]:
    """Return one trace a problem for each arm, of the problems that all of them have, with equal sums of tokens."""
    by_problem: dict[str, list[Candidate]] = defaultdict(list)
    for one in ordered:
        by_problem[one.id].append(one)
    options = {arm.name: _options(by_problem, arm) for arm in arms}
    common = [name for name in by_problem if all(name in found for found in options.values())]
    found_share = wrong_share(ordered)
    drawn = {
        arm.name: _mixed(
            options[arm.name], common, found_share if arm.wrong_share == "found" else arm.wrong_share, seed
        )
        for arm in arms
    }
    least = min(sum(one.n_tokens for one in traces) for traces in drawn.values())
    if tokens is not None and tokens > least * (1 + TOLERANCE):
        raise RecipeError(
            "matched arms cannot have so many tokens",
            got=f"tokens: {tokens:,}",
            expected=f"at most {least:,}: what the smallest has, over {len(common):,} problems that all arms have",
            remedy="lower it or leave it out; or a run with more traces",
        )
    target = least if tokens is None else min(tokens, least)
    return {name: _shortened(traces, options[name], target) for name, traces in drawn.items()}


def _options(by_problem: Mapping[str, list[Candidate]], arm: Arm) -> dict[str, list[Candidate]]:
    """Return the traces of each problem that an arm may take; a mixed one needs a right and a wrong one."""
    found = {}
    for name, traces in by_problem.items():
        fitting = [one for one in traces if _fits(one, arm)]
        if arm.wrong_share is not None:
            fitting = [one for one in fitting if one.is_right or one.is_wrong]
            if len({one.is_right for one in fitting}) < 2:
                continue
        if fitting:
            found[name] = fitting
    return found


def _mixed(
    options: Mapping[str, list[Candidate]], problems: Sequence[str], share: float | None, seed: int
) -> list[Candidate]:
    """Return the first option of each problem; with a share of wrong ones a wrong one for so many of them."""
    if share is None:
        return [options[name][0] for name in problems]
    n_wrong = round(share * len(problems))
    order = sorted(problems, key=lambda name: digest(seed, "wrong", name))
    wrong = set(order[:n_wrong])
    return [next(one for one in options[name] if one.is_wrong == (name in wrong)) for name in problems]


def _shortened(traces: Sequence[Candidate], options: Mapping[str, list[Candidate]], target: int) -> list[Candidate]:
    """Return the traces with their tokens brought down to a target: shorter ones of their kind, then fewer of them."""
    kept = {one.id: one for one in traces}
    excess, slack = sum(one.n_tokens for one in traces) - target, TOLERANCE * target
    for one in traces:
        shorter = min((o for o in options[one.id] if o.is_wrong == one.is_wrong), key=lambda o: o.n_tokens, default=one)
        saved = one.n_tokens - shorter.n_tokens
        if 0 < saved <= excess:
            kept[one.id], excess = shorter, excess - saved
    for one in list(kept.values()):
        if excess <= slack:
            break
        if one.n_tokens <= excess + slack:
            del kept[one.id]
            excess -= one.n_tokens
    if excess > slack:  # less than any row has: without the one that comes nearest
        nearest = min(kept.values(), key=lambda one: (abs(excess - one.n_tokens), one.response_id))
        if abs(excess - nearest.n_tokens) < excess:
            del kept[nearest.id]
    return list(kept.values())
