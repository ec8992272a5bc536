"""Overlap with benchmarks: word n-grams, by containment of the benchmark item in the prompt.

An item is contained to the degree that its n-grams occur in the prompt, so a long preamble around a copied item does
not hide it, and one shared phrase does not condemn a prompt (of 114 sources flagged by single n-grams in a public
check, 88 were clean). An item of at most n words is one n-gram of all its words; it counts only in prompts of up to
twice its size, since "what is 2 + 2" occurs innocently in longer texts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tracemill.schema import Dropped, Problem, dropped_problem
from tracemill.text import ngrams, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracemill.recipe_decontaminate import Decontaminate

STAGE = "decontaminate"
ITEMS = pa.schema([("benchmark", pa.string()), ("item", pa.int64()), ("text", pa.large_string())])


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of one benchmark item stands in a prompt."""

    benchmark: str
    item: int
    containment: float
    text: str

    def evidence(self) -> dict[str, Any]:
        """For the dropped row."""
        return {
            "benchmark": self.benchmark,
            "item": self.item,
            "method": "word n-gram containment",
            "score": round(self.containment, 4),
            "overlap": self.text,
        }


class BenchmarkIndex:
    """n-gram -> benchmark items, for one n.

    Args:
        items: table with the columns of ``ITEMS``.
        n: words per n-gram.
    """

    def __init__(self, items: pa.Table, n: int) -> None:
        self._n = n
        self._names: list[tuple[str, int]] = []
        self._n_grams: list[int] = []
        self._long: dict[str, list[int]] = defaultdict(list)
        self._short: dict[str, list[int]] = defaultdict(list)
        self._short_lengths: set[int] = set()
        for record in items.to_pylist():
            self._add(record["benchmark"], record["item"], words(record["text"]))

    def _add(self, benchmark: str, item: int, tokens: list[str]) -> None:
        grams = set(ngrams(tokens, self._n))
        if not grams:
            return
        position = len(self._names)
        self._names.append((benchmark, item))
        self._n_grams.append(len(grams))
        if len(tokens) <= self._n:
            self._short_lengths.add(len(tokens))
        for gram in grams:
            (self._long if len(tokens) > self._n else self._short)[gram].append(position)

    def worst(self, prompt: str) -> Overlap | None:
        """The item that ``prompt`` contains most of; ties go to the item that was indexed first."""
        tokens = words(prompt)
        found = self._hits(tokens)
        if not found:
            return None
        position, grams = max(found.items(), key=lambda hit: (len(hit[1]) / self._n_grams[hit[0]], -hit[0]))
        benchmark, item = self._names[position]
        text = " … ".join(sorted(grams, key=" ".join(tokens).find)[:3])
        return Overlap(benchmark, item, len(grams) / self._n_grams[position], text)

    def _hits(self, tokens: list[str]) -> dict[int, set[str]]:
        """Positions of the items that share n-grams with ``tokens``, with those n-grams."""
        found: dict[int, set[str]] = defaultdict(set)
        for gram in set(ngrams(tokens, self._n)) if len(tokens) >= self._n else ():
            for position in self._long.get(gram, ()):
                found[position].add(gram)
        for length in self._short_lengths:
            if length <= len(tokens) <= 2 * length:
                for gram in set(ngrams(tokens, length)):
                    for position in self._short.get(gram, ()):
                        found[position].add(gram)
        return found


def decontaminate(
    problems: Iterable[Problem], index: BenchmarkIndex, rules: Decontaminate
) -> tuple[list[Problem], list[Dropped]]:
    """Splits a shard by overlap; every removal names benchmark, item, method, score and overlapping text."""
    kept: list[Problem] = []
    dropped: list[Dropped] = []
    for problem in problems:
        overlap = index.worst(problem.prompt)
        if overlap and overlap.containment >= rules.min_containment:
            dropped.append(dropped_problem(problem, STAGE, overlap.benchmark, overlap.evidence()))
        else:
            kept.append(problem)
    return kept, dropped
