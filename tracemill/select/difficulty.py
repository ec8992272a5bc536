"""Difficulty as the teacher has found it: the share of its samples that were judged correct.

Only samples count that the teacher drew for this problem and that were judged correct or incorrect; a trace that came
with the row was chosen by somebody, and says nothing of how often a model is right. With several rounds, sampling stops
at the first round in which one is correct; the share of all samples is still the likeliest rate, but a little too high.
"""

from __future__ import annotations

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
    outcomes = [verdicts[response.id].outcome for response in responses if response.origin == Origin.TEACHER]
    judged = [outcome for outcome in outcomes if outcome in {Outcome.CORRECT, Outcome.INCORRECT}]
    if len(judged) < rules.min_samples:
        return Measured(None, None)
    rate = judged.count(Outcome.CORRECT) / len(judged)
    return Measured(rate, DIFFICULTIES[sum(rate <= bound for bound in rules.above)])
