"""Strings that a whole corpus of responses says again and again: 20 tokens, more than 20 times (DD section 2.5).

Exact, in memory that the corpus does not decide about, and in two kinds of passes over it. A first pass counts every
string in a sketch: one row of a count-min sketch (Cormode and Muthukrishnan 2005), 8-bit counters that stay at 255. A
counter is never below the count of any of its strings, so whatever has been seen more often than the limit is a
candidate; a string that was seen c times becomes one by mistake with probability at most (N/w) / (limit + 1 - c), for N
strings in w counters (Markov), and since most strings of a corpus are unique, in fact about as often as a Poisson
variable of mean N/w exceeds the limit: at 1.4M responses of 4,000 tokens in 2^30 counters N/w is 5.2, and that is 5 in
10 million. Then the candidates alone are counted exactly. Mistakes cost memory, never a wrong count; if the table of
exact counts is full, it keeps the lower half of the hashes, and another pass counts the rest.

Nothing depends on the order of the shards: counters only add up. Strings are compared by 64-bit hashes; that any two of
5.6e9 strings share one has probability 0.6, that one of them is a frequent one less than 1 in 10^4.

Compiled loops over the strings of many texts, for ``tracemill.quality.frequent_strings``: a sketch of counts,
candidates.

The frequent strings in one response: how much of it they make up, and which one is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tracemill.core.compiled import compiled
from tracemill.quality.filters import Fault
from tracemill.quality.measures import grams_of, kinds_of_characters, tokens_of, utf8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracemill.core import Response
    from tracemill.recipe.sections.quality import FrequentStrings

    Bytes = NDArray[np.uint8]

    Counts = NDArray[np.int64]

    Hashes = NDArray[np.uint64]

    Offsets = NDArray[np.int64]

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
    """Add one to every string's counter; a full counter stays full."""
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


def frequent_fault(response: Response, frequent: Frequent, rules: FrequentStrings) -> Fault | None:
    """Return the most frequent string of a response of which more than the allowed share is frequent."""
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


_LAST: Final = 2**64 - 1
SMALLEST: Final = 1 << 16
EXACT_ENTRIES: Final = 1 << 24  # 16 bytes each, and as much again while they are sorted


class Strings(NamedTuple):
    """The strings of some texts.

    Attributes:
        grams: their hashes, text by text, in order.
        owners: the problem that each belongs to, as a number.
        texts: the text that each belongs to, as a number.
    """

    grams: Hashes
    owners: Counts
    texts: Counts


class Frequent(NamedTuple):
    """What was found: hashes in ascending order, and how often each string was seen."""

    grams: Hashes
    counts: Counts


def strings_of(texts: Sequence[str], owners: Sequence[int], size: int) -> Strings:
    """Return all strings of ``size`` tokens; none crosses from one text into the next."""
    data, offsets = utf8(texts)
    grams, counts = np.empty(len(data), np.uint64), np.zeros((len(texts), 2), np.int64)
    all_grams(data, offsets, kinds_of_characters(), size, grams, counts)
    lengths = counts[:, 0]
    repeated = np.repeat(np.asarray(owners, np.int64), lengths)
    return Strings(grams[: lengths.sum()].copy(), repeated, np.repeat(np.arange(len(texts)), lengths))


class Sketch:
    """Upper bounds of counts.

    Args:
        n_bytes: memory; the largest power of two within it is used.
    """

    def __init__(self, n_bytes: int) -> None:
        self.counters = np.zeros(1 << (max(n_bytes, SMALLEST).bit_length() - 1), np.uint8)

    def add(self, grams: Hashes) -> None:
        """Count strings."""
        count_up(grams, self.counters)

    def merge(self, other: Sketch) -> None:
        """Add the counts of another sketch of this size."""
        summed = self.counters.astype(np.uint16) + other.counters
        self.counters = np.minimum(summed, FULL).astype(np.uint8)

    def at_most(self, grams: Hashes) -> NDArray[np.uint8]:
        """No string was counted more often; 255 says nothing."""
        mask = np.uint64(len(self.counters) - 1)
        return self.counters[(grams & mask).astype(np.int64)]


def frequent_strings(
    shards: Callable[[], Iterator[Strings]], times: int, sketch_bytes: int, room: int = EXACT_ENTRIES
) -> Frequent:
    """Return the strings that were seen more than ``times`` times in all shards.

    Of several responses to one problem only the one that says a string most often counts, since each of them repeats
    what the question says. All responses to a problem are in one shard.

    Args:
        shards: the corpus, from its beginning at every call.
        times: less than 255.
        sketch_bytes: memory of the sketch; the result does not depend on it.
        room: entries in the table of exact counts; the result does not depend on it.
    """
    sketch = Sketch(sketch_bytes)
    for strings in shards():
        sketch.add(strings.grams)
    found, low = [], 0
    while low <= _LAST:
        table = _ExactCounts(room)
        for strings in shards():
            bounds = np.uint64(low), np.uint64(table.last)
            table.add(*_counted(strings, candidates(strings.grams, sketch.counters, times, *bounds)))
        found.append(table.above(times))
        low = table.last + 1
    return Frequent(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _counted(strings: Strings, places: Counts) -> tuple[Hashes, Counts]:
    """Distinct strings at these places, and their counts: per problem the most of any of its texts."""
    order = np.lexsort((strings.texts[places], strings.owners[places], strings.grams[places]))
    grams, owners, texts = strings.grams[places][order], strings.owners[places][order], strings.texts[places][order]
    by_text = _first(grams, texts, owners)
    in_text = np.diff(np.append(np.flatnonzero(by_text), len(grams)))
    grams, owners = grams[by_text], owners[by_text]
    by_problem = np.flatnonzero(_first(grams, owners))
    most = np.maximum.reduceat(in_text, by_problem) if len(grams) else in_text
    grams = grams[by_problem]
    return _summed(grams, most)


def _first(*columns: NDArray[np.uint64] | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell whether a row differs from the one before it in any of the columns."""
    changed = np.ones(len(columns[0]), np.bool_)
    if len(changed) > 1:
        changed[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return changed


def _summed(grams: Hashes, counts: Counts) -> tuple[Hashes, Counts]:
    """Distinct hashes in ascending order, with the sum of their counts."""
    order = np.argsort(grams, kind="stable")
    grams, counts = grams[order], counts[order]
    starts = np.flatnonzero(_first(grams))
    return grams[starts], np.add.reduceat(counts, starts) if len(grams) else counts


class _ExactCounts:
    """Exact counts of as many of the lowest hashes as there is room for.

    Attributes:
        last: the highest hash that is still counted.
    """

    def __init__(self, room: int) -> None:
        self.last, self._room = _LAST, room
        self._grams, self._counts = np.empty(0, np.uint64), np.empty(0, np.int64)
        self._waiting: list[tuple[Hashes, Counts]] = []
        self._n_waiting = 0

    def add(self, grams: Hashes, counts: Counts) -> None:
        """Add counts of distinct hashes; those above ``last`` are left to a later pass."""
        self._waiting.append((grams, counts))
        self._n_waiting += len(grams)
        if self._n_waiting > self._room // 2:
            self._settle()

    def above(self, times: int) -> tuple[Hashes, Counts]:
        """Return what was counted more often than ``times``."""
        self._settle()
        frequent = self._counts > times
        return self._grams[frequent], self._counts[frequent]

    def _settle(self) -> None:
        parts = [(self._grams, self._counts), *self._waiting]
        grams, counts = (np.concatenate([part[column] for part in parts]) for column in (0, 1))
        self._grams, self._counts = _summed(grams, counts)
        self._waiting, self._n_waiting = [], 0
        while len(self._grams) > self._room:
            self.last = int(self._grams[len(self._grams) // 2 - 1])
            self._cut()
        self._cut()

    def _cut(self) -> None:
        """Return counts of hashes beyond the bound are not complete any more."""
        within = self._grams <= np.uint64(self.last)
        self._grams, self._counts = self._grams[within], self._counts[within]
