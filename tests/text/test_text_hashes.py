"""Compiled hashes are those of the plain definitions."""

from __future__ import annotations

import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import example, given
from hypothesis import strategies as st

from tracemill.text.hashes import exact_keys, number_keys, shingle_hashes, sketches
from tracemill.text.number_guard import quantities
from tracemill.text.words import exact_text, words

PERMUTATIONS = MinHash(64, 3, scheme="affine32").permutations
# Pieces at which the readings could part: separators, signs, digits, words that count, and scripts beyond ASCII.
PIECES = st.sampled_from(
    [
        *" \t\n\x1c\x0b_-−.,()\\+*/^=<>|!0123456789aZé中x²１",
        "1,000",
        "12,34",
        "1,234,5678",
        "3.5",
        "two",
        "Half",
        "sin",
        "tw",
        "**",
        "'",
        "ABC",
        "a",
    ]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=40)


def column(*texts: str) -> pa.ChunkedArray:
    return pa.chunked_array([list(texts)], pa.large_string())


@given(TEXTS, TEXTS)
@example("1,234,5678", "1,2345,678")
@example("a b", "ab")
def test_keys_are_those_of_the_definitions(left: str, right: str) -> None:
    """Two texts have one key exactly if the plain definition calls them the same."""
    for keys, definition in ((exact_keys, exact_text), (number_keys, quantities)):
        one, other = keys(column(left, right)).to_pylist()
        assert (one == other) is (definition(left) == definition(right))


@given(TEXTS)
def test_beyond_ascii_is_read_alike(text: str) -> None:
    """A text has the same keys and words whether or not something beyond ASCII stands in another row of its shard."""
    alone, beside = column(text), column("é中² −１", text)
    assert exact_keys(alone)[0] == exact_keys(beside)[1]
    assert number_keys(alone)[0] == number_keys(beside)[1]
    assert (sketches(alone, 3, PERMUTATIONS)[0] == sketches(beside, 3, PERMUTATIONS)[1]).all()


@given(TEXTS, st.integers(1, 6))
def test_shingles_are_runs_of_words(text: str, ngram: int) -> None:
    """There is one hash for each run of n words, and equal runs have equal hashes."""
    tokens, hashes = words(text), shingle_hashes(text, ngram).tolist()
    runs = [tuple(tokens[i : i + ngram]) for i in range(max(1, len(tokens) - ngram + 1))] if tokens else []
    assert len(hashes) == len(runs)
    assert len(set(hashes)) == len(set(runs))
    again = shingle_hashes(" / ".join(tokens), ngram).tolist()
    assert again == hashes


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_values_are_datasketchs(texts: list[str]) -> None:
    """MinHash values are datasketch's for the same shingle hashes."""
    found = sketches(column(*texts), 4, PERMUTATIONS)
    for text, values in zip(texts, found, strict=True):
        reference = MinHash(64, 3, hashfunc=int, scheme="affine32")
        for shingle in shingle_hashes(text, 4).tolist():
            reference.update(shingle)
        assert (values == reference.hashvalues).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He paid $1,234.50 for 3 of 12,34", ["1234.50", "3", "12", "34"]),
        ("1,234,5678", ["1234", "5678"]),
        (r"-\frac{1}{2} - (x-y)", ["-", "1", "2", "-", "x", "-", "y"]),
        ("twenty-two well-known facts", ["20", "2"]),
        ("Find the LARGEST n! ≤ 10²", ["largest", "n", "!", "<", "=", "10", "^", "2"]),
        ("a_1 = b2", ["1", "=", "b", "2"]),
        ("**Note**: 2**3, (a)**(b), x ** y", ["2", "*", "*", "3", "*", "*", "b", "x", "y"]),
        ("Find b if a = I. Let's see, don't", ["b", "="]),
        ("the letters of PAPA; triangle ABC and NASA's", ["papa", "abc", "nasa"]),
        ("A-B, x - y, T-shirt, x-axis", ["-", "b", "x", "-", "y", "t", "x"]),
        ("none", []),
    ],
)
def test_quantities(text: str, expected: list[str]) -> None:
    """What sets maths problems apart: numbers in one form, operators, names, and words that turn a question round."""
    assert quantities(text) == expected
