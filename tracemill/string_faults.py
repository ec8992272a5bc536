"""The frequent strings in one response: how much of it they make up, and which one is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracemill.quality import Fault
from tracemill.trace_loops import grams_of, tokens_of
from tracemill.trace_measures import kinds_of_characters, utf8

if TYPE_CHECKING:
    from tracemill.frequent_strings import Frequent
    from tracemill.recipe_frequent_strings import FrequentStrings
    from tracemill.schema import Response


def frequent_fault(response: Response, frequent: Frequent, rules: FrequentStrings) -> Fault | None:
    """The most frequent string of a response of which more than the allowed share is frequent."""
    n_tokens, n_covered, most, shown = 0, 0, 0, ""
    for text in (response.think or "", response.answer):
        tokens, covered, count, string = _frequent_in(text, frequent, rules.tokens)
        n_tokens, n_covered = n_tokens + tokens, n_covered + covered
        if count > most:
            most, shown = count, string
    if n_covered <= rules.covered * n_tokens:
        return None
    return Fault("frequent_string", {"text": shown, "times": most, "share": round(n_covered / n_tokens, 6)})


def _frequent_in(text: str, frequent: Frequent, size: int) -> tuple[int, int, int, str]:
    """(Tokens, those in frequent strings, count of the most frequent one, its text)."""
    data, _ = utf8([text])
    tokens, grams = np.empty(len(data), np.uint64), np.empty(len(data), np.uint64)
    starts, ends = np.empty(len(data), np.int64), np.empty(len(data), np.int64)
    n_tokens, _ = tokens_of(data, 0, len(data), kinds_of_characters(), tokens, starts, ends)
    found = grams[: grams_of(tokens, n_tokens, size, grams)]
    if not len(found) or not len(frequent.grams):
        return n_tokens, 0, 0, ""
    at = np.minimum(np.searchsorted(frequent.grams, found), len(frequent.grams) - 1)
    places = np.flatnonzero(frequent.grams[at] == found)
    if not len(places):
        return n_tokens, 0, 0, ""
    first = places[np.argmax(frequent.counts[at[places]])]
    covered = np.unique(places[:, None] + np.arange(size)).size
    string = data[starts[first] : ends[first + size - 1]].tobytes().decode("utf-8", "ignore")
    return n_tokens, covered, int(frequent.counts[at[first]]), string
