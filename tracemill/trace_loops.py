"""Compiled loops over the tokens of long texts, for tracemill/trace_measures.py: cutting, runs, phrases, lengths.

A token is a run of letters and digits, one ideograph (kana and hangul syllables too), or a run of one and the same mark
however long, so that a drawn line is one token; white space only separates. Tokens are compared by a 64-bit hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracemill.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Offsets = NDArray[np.int64]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]

SPACE: Final = 0
WORD: Final = 1
IDEOGRAPH: Final = 2
MARK: Final = 3

_SEED: Final = np.uint64(0xCBF29CE484222325)  # FNV-1a
_PRIME: Final = np.uint64(0x100000001B3)
_BASE: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it loses nothing
_MIX: Final = np.uint64(0xD6E8FEB86659FD93)
_32: Final = np.uint64(32)


@compiled
def code_point(data: Bytes, position: int) -> tuple[int, int]:
    """The code point at a position of valid UTF-8, and its bytes."""
    first = int(data[position])
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | (data[position + 1] & 0x3F), 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | (data[position + 1] & 0x3F) << 6 | (data[position + 2] & 0x3F), 3
    high = (first & 0x07) << 18 | (data[position + 1] & 0x3F) << 12
    return high | (data[position + 2] & 0x3F) << 6 | (data[position + 3] & 0x3F), 4


@compiled
def mixed(hashed: np.uint64) -> np.uint64:
    """Spreads a hash over all its bits."""
    found = (hashed ^ (hashed >> _32)) * _MIX
    return found ^ (found >> _32)


@compiled
def tokens_of(
    data: Bytes, begin: int, end: int, kinds: Bytes, tokens: Hashes, starts: Places, ends: Places
) -> tuple[int, int]:
    """Cuts ``data[begin:end]``; fills hash and place of every token. Returns (tokens, those of them that are words).

    ``kinds`` has every code point's kind; ``tokens``, ``starts`` and ``ends`` have room for ``end - begin`` entries.
    """
    n_tokens, n_words, position = 0, 0, begin
    last_kind, last_code = 0, -1
    while position < end:
        code, width = code_point(data, position)
        kind = int(kinds[code])
        joins = kind == last_kind and (kind == WORD or (kind == MARK and code == last_code))
        if joins and kind == WORD:
            tokens[n_tokens - 1] = (tokens[n_tokens - 1] ^ np.uint64(code)) * _PRIME
        elif kind != SPACE and not joins:
            tokens[n_tokens] = (_SEED ^ np.uint64(code)) * _PRIME
            starts[n_tokens] = position
            n_tokens += 1
            n_words += int(kind != MARK)
        position += width
        if kind != SPACE:
            ends[n_tokens - 1] = position
        last_kind, last_code = kind, code
    for place in range(n_tokens):
        tokens[place] = mixed(tokens[place])
    return n_tokens, n_words


@compiled
def longest_run(tokens: Hashes, n_tokens: int, copies: int) -> tuple[int, int, int]:
    """The longest run that is at least ``copies`` copies of its beginning: (length, period, start); zeros without one.

    Exact, and for periods of any length: a run of period p and at least 2p tokens holds a multiple of p among the
    places that equal the one p further on (Main and Lorentz 1984), so only those are looked at, about n log n of them.
    Of equally long runs the one with the shortest period, then the first.
    """
    best, best_period, best_start = 0, 0, 0
    for period in range(1, n_tokens // copies + 1):
        place = 0
        while place + period < n_tokens:
            if tokens[place] != tokens[place + period]:
                place += period
                continue
            start, stop = place, place + 1
            while start > 0 and tokens[start - 1] == tokens[start - 1 + period]:
                start -= 1
            while stop + period < n_tokens and tokens[stop] == tokens[stop + period]:
                stop += 1
            length = stop - start + period
            if length > best and length >= copies * period:
                best, best_period, best_start = length, period, start
            place = (stop // period + 1) * period
    return best, best_period, best_start


@compiled
def grams_of(tokens: Hashes, n_tokens: int, size: int, grams: Hashes) -> int:
    """Hashes of all runs of ``size`` tokens, in order; returns how many there are."""
    leaving = np.uint64(1)
    for _ in range(size):
        leaving *= _BASE
    rolling = np.uint64(0)
    for place in range(n_tokens):
        rolling = rolling * _BASE + tokens[place]
        if place >= size:
            rolling -= leaving * tokens[place - size]
        if place >= size - 1:
            grams[place - size + 1] = mixed(rolling)
    return max(0, n_tokens - size + 1)


@compiled
def repeated_tokens(grams: Hashes, n_grams: int, size: int) -> tuple[int, int, int]:
    """Tokens in phrases of ``size`` tokens that were there before: (how many, longest stretch of them from, to)."""
    capacity = 16
    while capacity < 2 * n_grams:
        capacity *= 2
    seen = np.zeros(capacity, np.uint64)
    covered, stretch_start, until = 0, 0, 0
    longest_from, longest_to = 0, 0
    for place in range(n_grams):
        if not _is_new(seen, grams[place]):
            if place > until or until == 0:
                stretch_start = place
            covered += place + size - max(until, place)
            until = place + size
            if until - stretch_start > longest_to - longest_from:
                longest_from, longest_to = stretch_start, until
    return covered, longest_from, longest_to


@compiled
def _is_new(seen: Hashes, gram: np.uint64) -> bool:
    """Adds a hash to an open hash table; 0 means an empty place, so it is stored as 1."""
    wanted = gram if gram != 0 else np.uint64(1)
    mask = np.uint64(len(seen) - 1)
    place = wanted & mask
    while seen[place] != 0:
        if seen[place] == wanted:
            return False
        place = (place + np.uint64(1)) & mask
    seen[place] = wanted
    return True


@compiled
def measure_all(data: Bytes, offsets: Offsets, kinds: Bytes, copies: int, size: int, found: Places) -> None:
    """Fills one row of ``found`` per text, with the columns of ``trace_measures.Column``."""
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    tokens, grams = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        n_tokens, n_words = tokens_of(data, begin, end, kinds, tokens, starts, ends)
        length, period, start = longest_run(tokens, n_tokens, copies)
        covered, first, last = repeated_tokens(grams, grams_of(tokens, n_tokens, size, grams), size)
        found[row, 0], found[row, 1] = n_tokens, n_words
        found[row, 2], found[row, 3], found[row, 6] = length, period, covered
        if length > 0:
            found[row, 4], found[row, 5] = starts[start], ends[start + length - 1]
        if covered > 0:
            found[row, 7], found[row, 8] = starts[first], ends[last - 1]
        found[row, 9], found[row, 10], found[row, 11] = _lengths(data, begin, end, kinds)


@compiled
def _lengths(data: Bytes, begin: int, end: int, kinds: Bytes) -> tuple[int, int, int]:
    """(Tokens of a byte-level BPE tokenizer in hundredths, words in Latin letters, ideographs)."""
    hundredths, n_latin, n_ideographs, position = 0, 0, 0, begin
    was_latin, was_mark, was_line, was_break = False, False, False, False
    while position < end:
        code, width = code_point(data, position)
        kind = kinds[code]
        is_digit = 48 <= code <= 57
        is_latin = 65 <= code <= 90 or 97 <= code <= 122
        is_mark, is_line, is_break = kind == MARK and code != 95, code == 95, code == 10
        if is_latin:
            hundredths += 0 if was_latin else 105
            n_latin += 0 if was_latin else 1
        elif is_digit:
            hundredths += 100
        elif is_mark or is_line:
            hundredths += 15 if (is_mark and was_mark) or (is_line and was_line) else 90
        elif is_break:
            hundredths += 0 if was_break else 50
        elif kind == IDEOGRAPH:
            hundredths += 65
            n_ideographs += 1
        elif kind == WORD:
            hundredths += 40
        was_latin, was_mark, was_line, was_break = is_latin, is_mark, is_line, is_break
        position += width
    return hundredths, n_latin, n_ideographs
