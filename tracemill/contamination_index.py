"""Benchmarks as an index: which of their items may stand in a text, for tens of thousands of texts a second.

An item has one or more texts (a HumanEval prompt as a whole, and what its docstring says); any of them will do. Each is
indexed by its runs of three words. Candidates for a prompt are the texts of which it holds the largest shares of runs:
few enough to be compared in full (``tracemill/contamination.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from tracemill.contamination_loops import WORD_PLACES, place_runs, runs_of, shared_runs, token_hash
from tracemill.normal_form import SILENT, apart, normal_words, numbers, same_words, vocabulary
from tracemill.option_labels import without_option_labels

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracemill.contamination_loops import WordForms

ITEMS: Final = pa.schema([("benchmark", pa.string()), ("item", pa.string()), ("text", pa.large_string())])
RUN: Final = 3  # words: survives reordering and a changed word in ten; two are shared by chance
# Less shared than this is no candidate. Of 1,319 GSM8K items reworded by rules, 97 % share 0.2 and more.
FLOOR: Final = 0.2
N_CANDIDATES: Final = 8  # a text may stand in several benchmarks, and an item has several texts


@dataclass(frozen=True)
class ItemText:
    """One text of a benchmark item.

    Attributes:
        benchmark: name of the benchmark.
        item: the item's own id where it has one, else its row.
        text: as published.
    """

    benchmark: str
    item: str
    text: str

    @cached_property
    def words(self) -> list[str]:
        """Its normal words; labels of options are none."""
        return normal_words(without_option_labels(self.text))

    @cached_property
    def runs(self) -> frozenset[tuple[str, ...]]:
        """Its distinct runs of words."""
        return frozenset(runs(self.words, min(RUN, len(self.words))))

    @cached_property
    def bag(self) -> Counter[str]:
        """Its words, however ordered."""
        return vocabulary(self.words)

    @cached_property
    def numbers(self) -> Counter[str]:
        """Its numbers."""
        return numbers(self.words)


def runs(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    """Runs of ``length`` words, in order; none of no words."""
    return [tuple(words[start : start + length]) for start in range(len(words) - length + 1)] if length else []


class BenchmarkIndex:
    """The texts of benchmark items, by the runs of their words.

    Args:
        items: table with the columns of ``ITEMS``; rows without any word are left out.
    """

    def __init__(self, items: pa.Table) -> None:
        texts = [ItemText(**record) for record in items.to_pylist()]
        self.texts = [text for text in texts if text.words]
        self._forms = _word_forms()
        data, offsets = _encoded([text.text for text in self.texts])
        hashes, starts, self._shortest = runs_of(data, offsets, self._forms, RUN)
        owners = np.repeat(np.arange(len(self.texts)), np.diff(starts))
        pairs = np.unique(np.stack([hashes, owners.astype(np.uint64)], axis=1), axis=0)
        distinct, first, counts = np.unique(pairs[:, 0], return_index=True, return_counts=True)
        table = np.zeros(1 << max(4, (4 * len(distinct)).bit_length()), np.uint64)
        places = place_runs(distinct, table)
        begin, end = np.zeros(len(table), np.int64), np.zeros(len(table), np.int64)
        begin[places], end[places] = first, first + counts
        items = pairs[:, 1].astype(np.int32)
        n_runs = np.bincount(items, minlength=len(self.texts)).astype(np.int32)
        self._postings = (table, begin, end, items, n_runs)

    def candidates(self, prompts: Sequence[str]) -> list[list[ItemText]]:
        """For each prompt the texts that it may contain, best first."""
        found = np.full((len(prompts), N_CANDIDATES), -1, np.int32)
        if self.texts:
            shares = np.zeros(found.shape, np.float32)
            data, offsets = _encoded(prompts)
            lengths = (self._shortest, RUN)
            shared_runs(data, offsets, self._forms, lengths, self._postings, FLOOR, found, shares)
        rows: list[list[int]] = found.tolist()
        return [[self.texts[number] for number in row if number >= 0] if row[0] >= 0 else [] for row in rows]


def _encoded(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """UTF-8 bytes and offsets; without labels of options, and of texts beyond ASCII with their signs spelled."""
    plain = map(without_option_labels, texts)
    encoded = [text.encode() if text.isascii() else apart(text).encode("utf-8", "replace") for text in plain]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


def _word_forms() -> WordForms:
    """The words that have another form as an open hash table; see ``contamination_loops.tokens_of``."""
    words, forms = np.zeros(WORD_PLACES, np.uint64), np.zeros(WORD_PLACES, np.uint64)
    commands = np.zeros(WORD_PLACES, np.bool_)
    table = dict.fromkeys(SILENT, "") | same_words()
    for word, form in table.items():
        hashed = token_hash(word)
        place = hashed % WORD_PLACES
        while words[place] != 0:
            place = (place + 1) % WORD_PLACES
        words[place], forms[place], commands[place] = hashed, token_hash(form), word in SILENT
    return words, forms, commands
