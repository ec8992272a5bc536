"""Hashes of many texts in compiled loops: exact keys, number keys and MinHash sketches.

What is hashed is defined in plain Python, by ``text.words``, ``text.exact_text`` and ``quantities.quantities``. The
loops give the same for ASCII text, byte by byte; other text is first put through those functions, so that the loops see
ASCII separators only. Hashes do not depend on machine or process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.character_forms import one_form
from tracemill.hash_loops import (
    TABLE,
    exact_keys_of,
    number_keys_of,
    shingle_hashes_of,
    sketch,
    word_hash,
    word_hashes,
)
from tracemill.quantities import APART_WORDS, ascii_text
from tracemill.text import exact_text, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Offsets = NDArray[np.int64]
    Hashes64 = NDArray[np.uint64]
    Hashes32 = NDArray[np.uint32]

VERSION: Final = 3  # of everything that is hashed here: stored signatures name it
KEY_BYTES: Final = 16


def in_one_form(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts in one form of characters: once for all that is hashed of them, since it is most of the work."""
    return pa.chunked_array([_prepared(texts, one_form)])


def exact_keys(texts: pa.ChunkedArray) -> pa.Array:
    """Key under which two texts are the same: case and white space do not count. Binary, 16 bytes each."""
    data, offsets = _encoded(texts, exact_text)
    return _keys(exact_keys_of(data, offsets))


def number_keys(texts: pa.ChunkedArray) -> pa.Array:
    """Key of the sequence of numbers, operators and turning words: see ``quantities.quantities``."""
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
    """The hashes of the shingles of one text, in order: what the permutations of a sketch are applied to."""
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
    """One array of the texts; those beyond ASCII as ``prepare`` leaves them."""
    column = texts.cast(pa.large_string()).combine_chunks()
    column = column if isinstance(column, pa.Array) else pa.array([], pa.large_string())
    foreign = pc.invert(pc.string_is_ascii(column))
    if not pc.any(foreign).as_py():
        return column
    prepared = [prepare(text) for text in column.filter(foreign).to_pylist()]
    return pc.replace_with_mask(column, foreign, pa.array(prepared, pa.large_string()))


def _keys(lanes: Hashes64) -> pa.Array:
    """Two 64-bit lanes a row as binary keys."""
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
