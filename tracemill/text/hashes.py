"""Hashes of many texts in compiled loops: exact keys, number keys and MinHash sketches.

What is hashed is defined in plain Python, by ``text.words``, ``text.exact_text`` and ``quantities.quantities``. The
loops give the same for ASCII text, byte by byte; other text is first put through those functions, so that the loops see
ASCII separators only. Hashes do not depend on machine or process.

Compiled loops over the bytes of texts, for ``tracemill.text.hashes``, which says what they compute and why.

Text is UTF-8; bytes beyond ASCII only ever belong to words. Integers wrap around, as in any hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.core.compiled import compiled
from tracemill.text.character_forms import one_form
from tracemill.text.number_guard import APART_WORDS, ascii_text
from tracemill.text.words import exact_text, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

    Hashes32 = NDArray[np.uint32]

    Hashes64 = NDArray[np.uint64]

    Offsets = NDArray[np.int64]

_SEED: Final = np.uint64(0xCBF29CE484222325)  # FNV-1a's offset basis and prime
_PRIME: Final = np.uint64(0x100000001B3)
_SEED_2: Final = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio, as in splitmix64
_PRIME_2: Final = np.uint64(0xD6E8FEB86659FD93)
_32: Final = np.uint64(32)
TABLE: Final = 1024  # places for the words that count; a power of two, mostly empty


def word_hash(word: str) -> int:
    """As :func:`_hash_byte` makes it of the bytes, in plain Python."""
    found = int(_SEED)
    for byte in word.encode():
        found = ((found ^ byte) * int(_PRIME)) & 0xFFFFFFFFFFFFFFFF
    return found


@compiled
def _hash_byte(hashed: np.uint64, byte: np.uint8) -> np.uint64:
    return (hashed ^ np.uint64(byte)) * _PRIME


@compiled
def _mixed(hashed: np.uint64, token: np.uint64) -> np.uint64:
    """Return a sequence's hash with one more token: multiply and fold, so that order counts."""
    found = (hashed ^ token) * _PRIME_2
    return found ^ (found >> _32)


@compiled
def _lower(byte: np.uint8) -> np.uint8:
    return np.uint8(byte + 32) if 65 <= byte <= 90 else np.uint8(byte)


@compiled
def _is_space(byte: np.uint8) -> bool:
    """As ``str.split`` sees ASCII: tab to carriage return, the four separators, blank."""
    return bool(byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31)


@compiled
def _is_digit(byte: np.uint8) -> bool:
    return bool(48 <= byte <= 57)


@compiled
def _is_letter(byte: np.uint8) -> bool:
    return bool(97 <= byte <= 122 or 65 <= byte <= 90)


@compiled
def exact_keys_of(data: Bytes, offsets: Offsets) -> Hashes64:
    """Return two lanes a text: lower-cased bytes, runs of white space as one blank, none at the ends."""
    found = np.empty((len(offsets) - 1, 2), np.uint64)
    for row in range(len(offsets) - 1):
        first, second = _SEED, _SEED_2
        gap, begun = False, False
        for position in range(offsets[row], offsets[row + 1]):
            byte = _lower(data[position])
            if _is_space(byte):
                gap = True
                continue
            if gap and begun:
                first, second = _hash_byte(first, np.uint8(32)), _mixed(second, np.uint64(32))
            gap, begun = False, True
            first, second = _hash_byte(first, byte), _mixed(second, np.uint64(byte))
        found[row, 0], found[row, 1] = first, second
    return found


@compiled
def number_keys_of(data: Bytes, offsets: Offsets, known: Hashes64, tokens: Hashes64) -> Hashes64:
    """Two lanes a text: its quantities in order. ``known`` and ``tokens`` are the words that count, see there."""
    found = np.empty((len(offsets) - 1, 2), np.uint64)
    for row in range(len(offsets) - 1):
        first, second = _SEED, _SEED_2
        start, end = offsets[row], offsets[row + 1]
        position = start
        while position < end:
            token, position = _next_quantity(data, start, position, end, known, tokens)
            if token != 0:
                first, second = _mixed(first, token), _mixed(second, token * _SEED_2)
        found[row, 0], found[row, 1] = first, second
    return found


@compiled
def _next_quantity(
    data: Bytes, start: int, position: int, end: int, known: Hashes64, tokens: Hashes64
) -> tuple[np.uint64, int]:
    """Hash of the token at ``position``, 0 where there is none, and where to go on."""
    byte = data[position]
    if _is_digit(byte):
        return _number(data, position, end)
    if _is_letter(byte):
        after_apostrophe = position > start + 1 and data[position - 1] == 39 and _is_letter(data[position - 2])
        hashed, begun, n_capitals = _SEED, position, 0
        while position < end and _is_letter(data[position]):
            hashed = _hash_byte(hashed, _lower(data[position]))
            n_capitals += data[position] <= 90
            position += 1
        if after_apostrophe:
            return np.uint64(0), position
        is_name = n_capitals == position - begun if position - begun > 1 else _lower(byte) not in (97, 105)
        return _looked_up(hashed, known, tokens, hashed if is_name else np.uint64(0)), position
    if _is_bold(data, start, position, end):
        return np.uint64(0), position + 2
    if byte in (33, 42, 43, 47, 60, 61, 62, 94, 124) or (byte == 45 and _is_minus(data, position + 1, end)):
        return _hash_byte(_SEED, byte), position + 1
    return np.uint64(0), position + 1


@compiled
def _is_bold(data: Bytes, start: int, position: int, end: int) -> bool:
    """Tell whether two stars stand here that are Markdown, not a power: a power has an operand on either side."""
    if position + 1 >= end or data[position] != 42 or data[position + 1] != 42:
        return False
    before = position > start and _is_operand(data[position - 1], 41)
    return not (before and position + 2 < end and _is_operand(data[position + 2], 40))


@compiled
def _is_operand(byte: np.uint8, bracket: int) -> bool:
    return bool(_is_letter(byte) or _is_digit(byte) or byte in (95, bracket))


@compiled
def _looked_up(word: np.uint64, known: Hashes64, tokens: Hashes64, otherwise: np.uint64) -> np.uint64:
    found = otherwise
    place = word & np.uint64(TABLE - 1)
    while known[place] != 0:
        if known[place] == word:
            found = np.uint64(tokens[place])
            break
        place = (place + np.uint64(1)) & np.uint64(TABLE - 1)
    return found


@compiled
def _is_minus(data: Bytes, position: int, end: int) -> bool:
    """Whether a hyphen is a minus: before a number, a bracket, a backslash or a single letter. Others join words."""
    while position < end and data[position] in (9, 10, 32):
        position += 1
    if position >= end:
        return False
    if _is_letter(data[position]):
        return position + 1 >= end or not _is_letter(data[position + 1])
    return bool(_is_digit(data[position]) or data[position] in (40, 92))


@compiled
def _number(data: Bytes, position: int, end: int) -> tuple[np.uint64, int]:
    """Return a number without its thousands separators, with its decimals."""
    hashed, begun = _SEED, position
    while position < end and _is_digit(data[position]):
        hashed = _hash_byte(hashed, data[position])
        position += 1
    while position - begun <= 3 and _thousands(data, position, end):
        for _ in range(3):
            position += 1
            hashed = _hash_byte(hashed, data[position])
        position += 1
        begun = position - 3
    while position + 1 < end and data[position] == 46 and _is_digit(data[position + 1]):
        hashed = _hash_byte(hashed, data[position])
        position += 1
        while position < end and _is_digit(data[position]):
            hashed = _hash_byte(hashed, data[position])
            position += 1
    return hashed, position


@compiled
def _thousands(data: Bytes, position: int, end: int) -> bool:
    """Tell whether a comma and exactly three digits stand here."""
    if position + 3 >= end or data[position] != 44:
        return False
    for ahead in range(1, 4):
        if not _is_digit(data[position + ahead]):
            return False
    return position + 4 >= end or not _is_digit(data[position + 4])


@compiled
def word_hashes(data: Bytes, start: int, end: int, hashes: Hashes64) -> int:
    """Return hashes of the words between two offsets; returns how many. Bytes beyond ASCII belong to words."""
    n_words, hashed, inside = 0, _SEED, False
    for position in range(start, end):
        byte = _lower(data[position])
        if 97 <= byte <= 122 or _is_digit(byte) or byte >= 128:
            hashed = _hash_byte(hashed, byte)
            inside = True
        elif inside:
            hashes[n_words] = hashed
            n_words, hashed, inside = n_words + 1, _SEED, False
    if inside:
        hashes[n_words] = hashed
        n_words += 1
    return n_words


@compiled
def shingle_hashes_of(hashes: Hashes64, n_words: int, ngram: int, shingles: Hashes32) -> int:
    """32-bit hashes of the runs of ``ngram`` words; returns how many."""
    if n_words == 0:
        return 0
    n_shingles = max(1, n_words - ngram + 1)
    for start in range(n_shingles):
        hashed = _SEED_2
        for word in range(start, min(start + ngram, n_words)):
            hashed = _mixed(hashed, hashes[word])
        shingles[start] = np.uint32(hashed & np.uint64(0xFFFFFFFF))
    return n_shingles


@compiled
def sketch(data: Bytes, offsets: Offsets, ngram: int, factors: Hashes32, summands: Hashes32, found: Hashes32) -> None:
    """MinHash values of each text, written to ``found``, which holds all ones."""
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    hashes = np.empty(longest // 2 + 2, np.uint64)
    shingles = np.empty(longest // 2 + 2, np.uint32)
    for row in range(len(offsets) - 1):
        n_words = word_hashes(data, offsets[row], offsets[row + 1], hashes)
        n_shingles = shingle_hashes_of(hashes, n_words, ngram, shingles)
        values = found[row]
        for shingle in range(n_shingles):
            _lower_to(values, _avalanched(shingles[shingle]), factors, summands)


@compiled
def _avalanched(hashed: np.uint32) -> np.uint32:
    """MurmurHash3's finaliser, which datasketch applies once before its permutations."""
    mixed = np.uint32(hashed ^ (hashed >> np.uint32(16)))
    mixed = np.uint32(mixed * np.uint32(0x85EBCA6B))
    mixed = np.uint32(mixed ^ (mixed >> np.uint32(13)))
    mixed = np.uint32(mixed * np.uint32(0xC2B2AE35))
    return np.uint32(mixed ^ (mixed >> np.uint32(16)))


@compiled
def _lower_to(values: Hashes32, hashed: np.uint32, factors: Hashes32, summands: Hashes32) -> None:
    """Each permutation's minimum with one more shingle."""
    for k in range(len(values)):
        permuted = np.uint32(np.uint32(factors[k] * hashed) + summands[k])
        values[k] = min(values[k], permuted)


VERSION: Final = 3  # of everything that is hashed here: stored signatures name it
KEY_BYTES: Final = 16


def in_one_form(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the texts in one form of characters: once for all that is hashed of them, since it is most of the work."""
    return pa.chunked_array([_prepared(texts, one_form)])


def exact_keys(texts: pa.ChunkedArray) -> pa.Array:
    """Return key under which two texts are the same: case and white space do not count. Binary, 16 bytes each."""
    data, offsets = _encoded(texts, exact_text)
    return _keys(exact_keys_of(data, offsets))


def number_keys(texts: pa.ChunkedArray) -> pa.Array:
    """Return the key of the sequence of numbers, operators and turning words: see ``quantities.quantities``."""
    data, offsets = _encoded(texts, ascii_text)
    known, tokens = _apart_words()
    return _keys(number_keys_of(data, offsets, known, tokens))


def sketches(texts: pa.ChunkedArray, ngram: int, permutations: tuple[Hashes32, Hashes32]) -> Hashes32:
    """MinHash values of each text's runs of ``ngram`` words, one row a text; all ones where it has no words.

    Args:
        texts: of any length.
        ngram: words per shingle; a shorter text is one shingle.
        permutations: odd factors and summands, as ``datasketch.MinHash(scheme="affine32").permutations``: the values
            are those of datasketch for the hashes of :func:`shingle_hashes`.
    """
    data, offsets = _encoded(texts, _spaced_words)
    factors, summands = (np.ascontiguousarray(part, np.uint32) for part in permutations)
    found = np.full((len(offsets) - 1, len(factors)), 0xFFFFFFFF, np.uint32)
    sketch(data, offsets, ngram, factors, summands, found)
    return found


def shingle_hashes(text: str, ngram: int) -> Hashes32:
    """Return the hashes of the shingles of one text, in order: what the permutations of a sketch are applied to."""
    data, offsets = _encoded(pa.chunked_array([[text]], pa.large_string()), _spaced_words)
    hashes = np.empty(int(offsets[1]) // 2 + 2, np.uint64)
    shingles = np.empty(len(hashes), np.uint32)
    n_words = word_hashes(data, offsets[0], offsets[1], hashes)
    return shingles[: shingle_hashes_of(hashes, n_words, ngram, shingles)]


def _spaced_words(text: str) -> str:
    return " ".join(words(text))


def _encoded(texts: pa.ChunkedArray, prepare: Callable[[str], str]) -> tuple[Bytes, Offsets]:
    """UTF-8 bytes and offsets of the texts; those beyond ASCII as ``prepare`` leaves them."""
    column = _prepared(texts, prepare)
    _, offsets, data = column.buffers()
    if not len(column) or offsets is None:
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    starts = np.frombuffer(offsets, np.int64, count=len(column) + 1, offset=8 * column.offset)
    return (np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)), starts


def _prepared(texts: pa.ChunkedArray, prepare: Callable[[str], str]) -> pa.Array:
    """Return one array of the texts; those beyond ASCII as ``prepare`` leaves them."""
    column = texts.cast(pa.large_string()).combine_chunks()
    column = column if isinstance(column, pa.Array) else pa.array([], pa.large_string())
    foreign = pc.invert(pc.string_is_ascii(column))
    if not pc.any(foreign).as_py():
        return column
    prepared = [prepare(text) for text in column.filter(foreign).to_pylist()]
    return pc.replace_with_mask(column, foreign, pa.array(prepared, pa.large_string()))


def _keys(lanes: Hashes64) -> pa.Array:
    """Return two 64-bit lanes a row as binary keys."""
    buffer = pa.py_buffer(np.ascontiguousarray(lanes))
    return pa.Array.from_buffers(pa.binary(KEY_BYTES), len(lanes), [None, buffer])


def _apart_words() -> tuple[Hashes64, Hashes64]:
    """The words that count as an open hash table, and beside each word's hash that of the token that it counts as."""
    known, tokens = np.zeros(TABLE, np.uint64), np.zeros(TABLE, np.uint64)
    for word, token in APART_WORDS.items():
        hashed = word_hash(word)
        place = hashed % TABLE
        while known[place] != 0:
            place = (place + 1) % TABLE
        known[place], tokens[place] = hashed, word_hash(token)
    return known, tokens
