"""Difficulty as the teacher has found it: the share of its samples that were judged correct.

Only samples count that the teacher drew for this problem and that were judged correct or incorrect; a trace that came
with the row was chosen by somebody, and says nothing of how often a model is right. With several rounds, sampling stops
at the first round in which one is correct; the share of all samples is still the likeliest rate, but a little too high.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

from tracemill.core import Origin, Outcome
from tracemill.recipe.sections.label import DIFFICULTIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracemill.core import Response, Verdict
    from tracemill.recipe.sections.label import PassRate


class Measured(NamedTuple):
    """What the samples of one problem say; both None where there are too few."""

    pass_rate: float | None
    difficulty: str | None


def measured(responses: Iterable[Response], verdicts: Mapping[str, Verdict], rules: PassRate) -> Measured:
    """Pass rate and level of one problem.

    Args:
        responses: to the problem.
        verdicts: by response id, the one that counts.
        rules: how many samples it takes, and where the levels end.
    """
    judged = _judged(responses, verdicts)
    if len(judged) < rules.min_samples:
        return Measured(None, None)
    rate = sum(verdict.outcome == Outcome.CORRECT for verdict in judged) / len(judged)
    return Measured(rate, DIFFICULTIES[sum(rate <= bound for bound in rules.above)])


def spread_of(responses: Iterable[Response], verdicts: Mapping[str, Verdict], rules: PassRate) -> float | None:
    """Return the coefficient of variation of the scores of a problem's samples (DD section 2.4.2, Alg. 1).

    Standard deviation over mean: 0 where all samples are alike, sqrt(n - 1) where one of n is right. None where there
    are too few samples, or where none has a score above 0.

    Args:
        responses: to the problem.
        verdicts: by response id, the one that counts; one without a score counts 1 if correct, else 0.
        rules: how many samples it takes.
    """
    judged = _judged(responses, verdicts)
    scores = [v.score if v.score is not None else float(v.outcome == Outcome.CORRECT) for v in judged]
    mean = statistics.fmean(scores) if scores else 0.0
    return statistics.pstdev(scores) / mean if len(scores) >= rules.min_samples and mean > 0 else None


def _judged(responses: Iterable[Response], verdicts: Mapping[str, Verdict]) -> list[Verdict]:
    """Return the verdicts on the teacher's samples that say something about the answer."""
    found = [verdicts[response.id] for response in responses if response.origin == Origin.TEACHER]
    return [verdict for verdict in found if verdict.outcome in {Outcome.CORRECT, Outcome.INCORRECT}]
