"""Compiled loops over the strings of many texts, for ``tracemill.frequent_strings``: a sketch of counts, candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracemill.compiled import compiled
from tracemill.trace_loops import grams_of, tokens_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Offsets = NDArray[np.int64]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]

FULL: Final = 255


@compiled
def all_grams(data: Bytes, offsets: Offsets, kinds: Bytes, size: int, grams: Hashes, counts: Places) -> None:
    """Hashes of the strings of every text, end to end in ``grams``; ``counts`` has (strings, tokens) of each text."""
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    tokens = np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    written = 0
    for row in range(len(offsets) - 1):
        n_tokens, _ = tokens_of(data, offsets[row], offsets[row + 1], kinds, tokens, starts, ends)
        n_grams = grams_of(tokens, n_tokens, size, grams[written:])
        counts[row, 0], counts[row, 1] = n_grams, n_tokens
        written += n_grams


@compiled
def count_up(grams: Hashes, sketch: Bytes) -> None:
    """Adds one to every string's counter; a full counter stays full."""
    mask = np.uint64(len(sketch) - 1)
    for place in range(len(grams)):
        counter = grams[place] & mask
        if sketch[counter] < 255:
            sketch[counter] += np.uint8(1)


@compiled
def candidates(grams: Hashes, sketch: Bytes, times: int, low: np.uint64, high: np.uint64) -> Places:
    """Places of the strings between two hashes, both included, that may have been seen more than ``times`` times."""
    mask = np.uint64(len(sketch) - 1)
    n_found = 0
    for place in range(len(grams)):
        n_found += int(low <= grams[place] <= high and sketch[grams[place] & mask] > times)
    found = np.empty(n_found, np.int64)
    written = 0
    for place in range(len(grams)):
        if low <= grams[place] <= high and sketch[grams[place] & mask] > times:
            found[written] = place
            written += 1
    return found
