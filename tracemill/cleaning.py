"""Rules on one prompt: each keeps it or names a reason with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tracemill.schema import Dropped, Problem, dropped_problem
from tracemill.text import words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracemill.recipe_clean import Clean

STAGE = "clean"


class Fault(NamedTuple):
    """Why a row is dropped."""

    reason: str
    evidence: dict[str, Any]


def fault_of(problem: Problem, rules: Clean) -> Fault | None:
    """The first rule that ``problem`` breaks, or None."""
    if not problem.prompt.strip():
        return Fault("empty_prompt", {})
    n_words = len(words(problem.prompt))
    if n_words < rules.min_words:
        return Fault("too_short", {"n_words": n_words, "min_words": rules.min_words})
    return None


def clean(problems: Iterable[Problem], rules: Clean) -> tuple[list[Problem], list[Dropped]]:
    """Splits one shard into kept and dropped; equal ids within it are merged here, across shards later.

    The copy that brings the most traces is kept, since a trace can save a generation; ties keep the first.
    """
    kept: dict[str, Problem] = {}
    dropped: list[Dropped] = []
    for problem in problems:
        fault = fault_of(problem, rules)
        if fault:
            dropped.append(dropped_problem(problem, STAGE, *fault))
            continue
        rival = kept.get(problem.id)
        if rival is None:
            kept[problem.id] = problem
            continue
        winner, loser = (problem, rival) if len(problem.traces) > len(rival.traces) else (rival, problem)
        kept[problem.id] = winner
        evidence = {"kept": winner.id, "kept_source": winner.source, "kept_row": winner.row, "method": "same id"}
        dropped.append(dropped_problem(loser, STAGE, "exact_duplicate", evidence))
    return list(kept.values()), dropped
