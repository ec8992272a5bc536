"""Who stays, by label: unwanted values are dropped, frequent ones thinned out.

A row's draw is a digest of the seed, the rule's label and value, and the problem's id: a number from 0 to 1 that no
other row, shard, batch or worker has a part in, so growth changes no decision, and a larger ``keep`` only adds rows.
Rules draw independently of each other: of easy maths, half of easy and half of maths leave a quarter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Dropped, Problem, digest, dropped_problem
from tracemill.label.labels import labels_of
from tracemill.recipe.sections.label import DIFFICULTIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracemill.recipe.sections.label import Selected, Thinning, Unwanted

STAGE: Final = "label"
_DRAW_DIGITS: Final = 13  # 52 bits, as many as a float holds exactly


def downsample(problems: Iterable[Problem], rules: Selected) -> tuple[list[Problem], list[Dropped]]:
    """Apply the rules, in the recipe's order, ``drop`` first; a problem leaves by the first that it fails.

    A problem without the label that a rule is about is none of that rule's business, and stays.
    """
    kept: list[Problem] = []
    dropped: list[Dropped] = []
    for problem in problems:
        found = _failed(problem, rules)
        if found is None:
            kept.append(problem)
        else:
            dropped.append(dropped_problem(problem, STAGE, *found))
    return kept, dropped


def _failed(problem: Problem, rules: Selected) -> tuple[str, dict[str, Any]] | None:
    """Reason and evidence of the first rule that a problem fails, if any."""
    labels = labels_of(problem)
    for unwanted in rules.drop:
        if is_unwanted(labels.get(unwanted.label), unwanted):
            return f"unwanted_{unwanted.label}", _evidence(labels, unwanted)
    for thinning in rules.downsample:
        if labels.get(thinning.label) == thinning.value:
            drawn = draw(rules.seed, thinning, problem.id)
            if drawn >= thinning.keep:
                return "downsampled", _evidence(labels, thinning) | {"draw": drawn}
    return None


def _evidence(labels: dict[str, Any], rule: Unwanted | Thinning) -> dict[str, Any]:
    settings = {name: value for name, value in rule.content().items() if value is not None and name != "value"}
    return settings | {"value": labels[rule.label]}


def is_unwanted(found: str | int | None, rule: Unwanted) -> bool:
    """Tell whether a label's value is the rule's, or beyond its bounds."""
    if found is None:
        return False
    if rule.value is not None:
        return found == rule.value
    below, above = (None if bound is None else _rank(bound) for bound in (rule.below, rule.above))
    return (below is not None and _rank(found) < below) or (above is not None and _rank(found) > above)


def _rank(value: str | int) -> int:
    return DIFFICULTIES.index(value) if isinstance(value, str) else value


def draw(seed: int, rule: Thinning, problem_id: str) -> float:
    """The row's own number for a rule, evenly distributed in [0, 1): it stays if the number is below ``keep``."""
    return int(digest("downsample", seed, rule.label, rule.value, problem_id)[:_DRAW_DIGITS], 16) / 16**_DRAW_DIGITS
