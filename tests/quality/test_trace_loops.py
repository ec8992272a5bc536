"""The compiled loops over tokens say what their definitions say, on any text."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.quality.measures import grams_of, longest_run, measure, repeated_tokens
from tracemill.recipe.sections.quality import Repetition
from tracemill.text.tokens import estimated_tokens

ALPHABET = "aB7 \n_-=é猫かтя½,"
TOKENS = st.lists(st.integers(1, 3), max_size=40)
RULES = Repetition(copies=3, phrase_tokens=4)


def array(tokens: list[int]) -> np.ndarray:
    return np.array(tokens, np.uint64)


def naive_run(tokens: list[int], copies: int) -> int:
    """Length of the longest stretch that equals itself one period later, for every period."""
    best = 0
    for period in range(1, len(tokens) // copies + 1):
        for start in range(len(tokens)):
            stop = start
            while stop + period < len(tokens) and tokens[stop] == tokens[stop + period]:
                stop += 1
            length = stop - start + period
            best = max(best, length if length >= copies * period else 0)
    return best


@given(TOKENS, st.integers(2, 5))
def test_the_longest_run_is_found(tokens: list[int], copies: int) -> None:
    """Runs of every period are found, as long as they are, and what is found is one."""
    length, period, start = longest_run(array(tokens), len(tokens), copies)
    assert length == naive_run(tokens, copies)
    run = tokens[start : start + length]
    assert all(left == right for left, right in zip(run, run[period:], strict=False))


@given(TOKENS, st.integers(2, 4))
def test_runs_do_not_depend_on_direction_or_names(tokens: list[int], copies: int) -> None:
    """Read backwards, or with other tokens for the same ones, the longest run is as long."""
    length = longest_run(array(tokens), len(tokens), copies)[0]
    assert longest_run(array(tokens[::-1]), len(tokens), copies)[0] == length
    assert longest_run(array([5 * token + 1 for token in tokens]), len(tokens), copies)[0] == length


@given(st.lists(st.integers(1, 5), min_size=1, max_size=9), st.integers(3, 6))
def test_copies_are_a_run(once: list[int], copies: int) -> None:
    """A text said so many times in a row is a run from its beginning to its end."""
    tokens = once * copies
    assert longest_run(array(tokens), len(tokens), copies)[0] == len(tokens)
    assert longest_run(array(tokens), len(tokens), copies)[1] <= len(once)


def naive_repeated(tokens: list[int], size: int) -> int:
    seen, covered = set(), set()
    for start in range(len(tokens) - size + 1):
        phrase = tuple(tokens[start : start + size])
        if phrase in seen:
            covered |= set(range(start, start + size))
        seen.add(phrase)
    return len(covered)


@given(st.lists(st.integers(0, 2), max_size=60), st.integers(1, 6))
def test_repeated_phrases_are_counted_once(tokens: list[int], size: int) -> None:
    """Every token of a phrase that was there before counts, however many such phrases it stands in."""
    values, grams = array([token + 7 for token in tokens]), np.empty(len(tokens), np.uint64)
    covered, first, last = repeated_tokens(grams, grams_of(values, len(tokens), size, grams), size)
    assert covered == naive_repeated(tokens, size)
    assert 0 <= last - first <= covered
    assert (last > first) == (covered > 0)


# A run of letters and digits as they are written; every ideograph, kana and hangul syllable is a word of its own.
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


@given(st.text(st.sampled_from(ALPHABET), max_size=80))
def test_words_and_tokens_are_those_of_the_plain_functions(text: str) -> None:
    """Words are runs of letters and digits, or one ideograph; tokens, but for rounding, ``estimated_tokens``."""
    found = measure([text], RULES)[0]
    assert found.n_words == len(WORD.findall(text))
    assert abs(found.n_tokens - estimated_tokens(text)) <= 1


@given(st.text(st.sampled_from(ALPHABET), min_size=1, max_size=30))
def test_a_text_said_twice_is_half_repeated(text: str) -> None:
    """The second of two equal halves is repeated, and no share is beyond one."""
    padded = f"{text} one two three four five."
    share = measure([f"{padded} {padded}"], RULES)[0].repeated_share
    assert 0.5 <= share <= 1


@pytest.mark.parametrize(
    ("text", "run", "shown"),
    [
        ("Wait. Wait. Wait. Wait.", 8, "Wait. Wait. Wait. Wait."),
        ("好的好的好的", 6, "好的好的好的"),
        ("a ---------------------------------- b", 0, ""),
        ("so\nno\nso\nno\nso\nno, and on", 6, "so\nno\nso\nno\nso\nno"),
        ("no run in here", 0, ""),
        ("", 0, ""),
    ],
)
def test_runs_are_shown(text: str, run: int, shown: str) -> None:
    """The run stands in the measures as it was written; a drawn line is no run."""
    found = measure([text, "other"], RULES)[0]
    assert (found.run_tokens, found.run_text) == (run, shown)


def test_lone_surrogates_and_long_runs_are_no_trouble() -> None:
    """A text that cannot be encoded is measured all the same, and what is shown of it is short."""
    found = measure(["\ud800 " + "loop again " * 5000], RULES)[0]
    assert found.run_tokens == 10_000
    assert len(found.run_text) <= 300
    assert re.fullmatch(r"(loop again ?)+\w*", found.run_text)
