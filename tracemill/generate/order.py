"""In which order a shard's requests are sent: longest first, so that the last answers to come are short ones.

A server with room for m requests is full until fewer than m are left. What is then under way ends when its longest
answer ends; a long one that was sent last keeps the whole server for itself. Longest processing time first bounds that
tail: at most 4/3 of the best schedule (Graham 1969, "Bounds on multiprocessing timing anomalies", theorem 2), where any
other order may take twice the best. Shuffled comes near where nothing is known of the lengths, and spoils a source that
is sorted by difficulty, the worst case. Results are joined by content, so the order is in none of them.

What is known of an answer before it is written, best first: how long earlier samples of the same problem were; how
long the trace is that the row came with; how difficult a model has found the problem; how long the prompt is.
"""

from __future__ import annotations

import hashlib
import statistics
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from tracemill.core.traces import n_chars
from tracemill.label import labels_of
from tracemill.recipe.sections.label import DIFFICULTIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracemill.core import Problem

# Near enough for an order; see docs/scaling.md.
_CHARS_A_TOKEN: Final = 3.5

Order = Literal["longest_first", "shuffled", "as_given"]


class Expected(NamedTuple):
    """What is known of the length of one answer.

    Attributes:
        tokens: of earlier answers to the same problem, or of its own trace; None if there are none.
        difficulty: 0 the least; 2, the middle, where no model was asked.
        prompt_chars: of the prompt.
    """

    tokens: float | None
    difficulty: int
    prompt_chars: int


def expected(problem: Problem, earlier: Sequence[int]) -> Expected:
    """Return what is known of the next answer to ``problem``; ``earlier`` are completion tokens of those had before."""
    traces = [n_chars(trace) / _CHARS_A_TOKEN for trace in problem.traces]
    known = list(earlier) or traces
    difficulty = labels_of(problem).get("difficulty")
    level = DIFFICULTIES.index(difficulty) if difficulty in DIFFICULTIES else len(DIFFICULTIES) // 2
    return Expected(statistics.fmean(known) if known else None, level, len(problem.prompt))


def asking_order(keys: Sequence[str], lengths: Sequence[Expected], order: Order) -> list[int]:
    """Places of the requests in the order in which they are sent.

    Args:
        keys: of the requests.
        lengths: what is known of each answer; those of which nothing is known count as the middle of the others.
        order: the recipe's.
    """
    places = range(len(keys))
    if order == "shuffled":
        return sorted(places, key=lambda place: hashlib.sha256(keys[place].encode()).digest())
    if order == "as_given":
        return list(places)
    known = [length.tokens for length in lengths if length.tokens is not None]
    middle = statistics.median(known) if known else 0.0

    def rank(place: int) -> tuple[float, int, int]:
        tokens, difficulty, prompt_chars = lengths[place]
        return (middle if tokens is None else tokens, difficulty, prompt_chars)

    return sorted(places, key=rank, reverse=True)
