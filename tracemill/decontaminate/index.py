r"""Benchmarks as an index: which of their items may stand in a text, for tens of thousands of texts a second.

An item has one or more texts (a HumanEval prompt as a whole, and what its docstring says); any of them will do. Each is
indexed by its runs of three words. Candidates for a prompt are the texts of which it holds the largest shares of runs:
few enough to be compared in full (``tracemill/decontaminate/overlap.py``).

Compiled loops that find, for each of many texts, the benchmark items that share the most runs of words with it.

Words are hashed as they are read. They are close to ``normal_form.normal_words``, not equal: signs between words and
numbers of several words ("two hundred and five") are not read, so what is found here are candidates, to be compared in
full. Text is UTF-8; bytes beyond ASCII belong to words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from tracemill.core.compiled import compiled
from tracemill.text.normal_form import SILENT, apart, normal_words, numbers, same_words, vocabulary
from tracemill.text.option_labels import without_option_labels

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

    Counts = NDArray[np.int32]

    Flags = NDArray[np.bool_]

    Hashes = NDArray[np.uint64]

    Offsets = NDArray[np.int64]

    Postings = tuple[Hashes, Offsets, Offsets, Counts, Counts]

    WordForms = tuple[Hashes, Hashes, Flags]


_SEED: Final = np.uint64(0xCBF29CE484222325)  # FNV-1a's offset basis and prime
_PRIME: Final = np.uint64(0x100000001B3)
_FACTOR: Final = np.uint64(0xD6E8FEB86659FD93)
_32: Final = np.uint64(32)
_BACKSLASH: Final = 92
WORD_PLACES: Final = 1024  # of the table of words with another form; a power of two, mostly empty


def token_hash(word: str) -> int:
    """As the loops hash a word's bytes, in plain Python; 0 of the empty word."""
    found = int(_SEED)
    for byte in word.encode():
        found = ((found ^ byte) * int(_PRIME)) & 0xFFFFFFFFFFFFFFFF
    return found if word else 0


@compiled
def _is_letter(byte: np.uint8) -> bool:
    return bool(97 <= byte <= 122 or 65 <= byte <= 90 or byte >= 128)


@compiled
def _is_digit(byte: np.uint8) -> bool:
    return bool(48 <= byte <= 57)


@compiled
def _with_byte(hashed: np.uint64, byte: np.uint8) -> np.uint64:
    lower = byte + 32 if 65 <= byte <= 90 else byte
    return (hashed ^ np.uint64(lower)) * _PRIME


@compiled
def _is_thousands(data: Bytes, position: int, end: int) -> bool:
    """Tell whether a comma and exactly three digits stand here."""
    if position + 3 >= end or data[position] != 44:
        return False
    for ahead in range(1, 4):
        if not _is_digit(data[position + ahead]):
            return False
    return position + 4 >= end or not _is_digit(data[position + 4])


@compiled
def _number_end(data: Bytes, position: int, end: int) -> int:
    """Return where the number that begins here ends, with its thousands."""
    begun = position
    while position < end:
        if not _is_digit(data[position]) and not (position - begun <= 3 and _is_thousands(data, position, end)):
            break
        if data[position] == 44:
            begun = position + 1
        position += 1
    return position


@compiled
def tokens_of(data: Bytes, start: int, end: int, forms: WordForms, found: Hashes) -> int:
    """Return hashes of the words between two offsets; returns how many.

    Args:
        data: text.
        start: offset of the first byte.
        end: offset behind the last.
        forms: the words with another form. An open hash table of them, 0 where a place is empty; beside each the hash
            of its other form, 0 if it is left out; and whether that holds only behind a backslash.
        found: filled; at least (end - start + 1) long.
    """
    n_found, position = 0, start
    while position < end:
        begun, hashed = position, _SEED
        if _is_digit(data[position]):
            position = _number_end(data, position, end)
            for place in range(begun, position):
                if data[place] != 44:
                    hashed = _with_byte(hashed, data[place])
        elif _is_letter(data[position]):
            while position < end and _is_letter(data[position]):
                hashed = _with_byte(hashed, data[position])
                position += 1
            is_command = begun > start and data[begun - 1] == _BACKSLASH
            hashed = _form_of(hashed, is_command, forms)
        else:
            position += 1
            continue
        if hashed != 0:
            found[n_found] = hashed
            n_found += 1
    return n_found


@compiled
def _form_of(hashed: np.uint64, is_command: bool, table: WordForms) -> np.uint64:
    words, forms, commands = table
    place = hashed & np.uint64(WORD_PLACES - 1)
    while words[place] != 0:
        if words[place] == hashed:
            return np.uint64(forms[place]) if is_command or not commands[place] else hashed
        place = (place + np.uint64(1)) & np.uint64(WORD_PLACES - 1)
    return hashed


@compiled
def run_hash(tokens: Hashes, start: int, length: int) -> np.uint64:
    """Hash of a run of words: order counts. Never 0, which marks empty places."""
    found = _SEED
    for place in range(start, start + length):
        found = (found ^ tokens[place]) * _FACTOR
        found ^= found >> _32
    return found | np.uint64(1)


@compiled
def runs_of(data: Bytes, offsets: Offsets, forms: WordForms, ngram: int) -> tuple[Hashes, Offsets, int]:
    """Return hashes of each text's runs of ``ngram`` words, where each text's begin, and the words of the shortest run.

    A text of fewer words is one run.
    """
    found = np.empty(len(data) + len(offsets), np.uint64)
    starts = np.zeros(len(offsets), np.int64)
    tokens = np.empty(len(data) + 1, np.uint64)
    n_found, shortest = 0, ngram
    for row in range(len(offsets) - 1):
        n_tokens = tokens_of(data, offsets[row], offsets[row + 1], forms, tokens)
        length = min(ngram, n_tokens)
        shortest = min(shortest, max(length, 1))
        for start in range(n_tokens - length + 1 if length else 0):
            found[n_found] = run_hash(tokens, start, length)
            n_found += 1
        starts[row + 1] = n_found
    return found[:n_found], starts, shortest


@compiled
def place_runs(runs: Hashes, table: Hashes) -> Offsets:
    """Put distinct runs into an open hash table, whose length is a power of two; returns each run's place."""
    places = np.empty(len(runs), np.int64)
    mask = np.uint64(len(table) - 1)
    for number in range(len(runs)):
        place = (runs[number] >> np.uint64(1)) & mask
        while table[place] != 0:
            place = (place + np.uint64(1)) & mask
        table[place] = runs[number]
        places[number] = place
    return places


@compiled
def _place_of(run: np.uint64, table: Hashes) -> np.int64:
    """Return where a run stands in the table, or -1."""
    mask = np.uint64(len(table) - 1)
    place = (run >> np.uint64(1)) & mask
    while table[place] != 0:
        if table[place] == run:
            return np.int64(place)
        place = (place + np.uint64(1)) & mask
    return np.int64(-1)


@compiled
def shared_runs(
    data: Bytes,
    offsets: Offsets,
    forms: WordForms,
    lengths: tuple[int, int],
    postings: Postings,
    floor: float,
    found: Counts,
    shares: NDArray[np.float32],
) -> None:
    """The items of which each text holds the largest shares of runs, best first.

    Args:
        data: the texts.
        offsets: where they begin and end.
        forms: see :func:`tokens_of`.
        lengths: words of the shortest of the items' runs, and of the longest.
        postings: the items' runs, as :func:`place_runs` puts them; where the items of each begin and end in the list
            that follows; that list, numbers of items; and how many distinct runs each item has.
        floor: least share.
        found: numbers of items, one row a text, -1 where there are no more; its width is how many are wanted.
        shares: the shares beside them.
    """
    table, first, last, items, n_runs = postings
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    tokens = np.empty(longest + 1, np.uint64)
    counts = np.zeros(len(n_runs), np.int32)
    touched = np.empty(len(n_runs), np.int32)
    seen = np.full(len(table), -1, np.int64)
    for row in range(len(offsets) - 1):
        n_tokens = tokens_of(data, offsets[row], offsets[row + 1], forms, tokens)
        n_touched = 0
        for length in range(lengths[0], lengths[1] + 1):
            for start in range(n_tokens - length + 1):
                place = _place_of(run_hash(tokens, start, length), table)
                if place >= 0 and seen[place] != row:
                    seen[place] = row
                    n_touched = _count(items, first[place], last[place], counts, touched, n_touched)
        _keep_best(counts, touched, n_touched, n_runs, floor, found[row], shares[row])


@compiled
def _count(items: Counts, first: int, last: int, counts: Counts, touched: Counts, n_touched: int) -> int:
    """Return one more shared run for some items; returns how many items share any."""
    for place in range(first, last):
        item = items[place]
        if counts[item] == 0:
            touched[n_touched] = item
            n_touched += 1
        counts[item] += 1
    return n_touched


@compiled
def _keep_best(
    counts: Counts,
    touched: Counts,
    n_touched: int,
    n_runs: Counts,
    floor: float,
    found: Counts,
    shares: NDArray[np.float32],
) -> None:
    """The touched items with the largest shares, in order; of equals the first. Empties ``counts``."""
    for number in range(n_touched):
        item = touched[number]
        share = np.float32(counts[item] / n_runs[item])
        counts[item] = 0
        if share < floor:
            continue
        place = len(found)
        while place > 0 and (share > shares[place - 1] or (share == shares[place - 1] and item < found[place - 1])):
            place -= 1
            if place + 1 < len(found):
                found[place + 1], shares[place + 1] = found[place], shares[place]
        if place < len(found):
            found[place], shares[place] = item, share


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
    """Run of ``length`` words, in order; none of no words."""
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
    """Return the words that have another form as an open hash table; see ``contamination_loops.tokens_of``."""
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
