"""What is measured on every response, whether a filter uses it or not: languages, lengths, repetition.

Think and answer are measured apart, since a sound answer may well say again what was thought.

Compiled loops over the tokens of long texts, for tracemill/quality/measures.py: cutting, runs, phrases, lengths.

A token is a run of letters and digits, one ideograph (kana and hangul syllables too), or a run of one and the same mark
however long, so that a drawn line is one token; white space only separates. Tokens are compared by a 64-bit hash.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tracemill.core import Row, Text
from tracemill.core.compiled import compiled
from tracemill.text.language.guess import UNDETERMINED, language

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tracemill.core import Response
    from tracemill.recipe.sections.quality import Repetition

    Bytes = NDArray[np.uint8]

    Hashes = NDArray[np.uint64]

    Offsets = NDArray[np.int64]

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
    """Return the code point at a position of valid UTF-8, and its bytes."""
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
    """Cut ``data[begin:end]``; fills hash and place of every token. Returns (tokens, those of them that are words).

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
    """Return hashes of all runs of ``size`` tokens, in order; returns how many there are."""
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
    """Add a hash to an open hash table; 0 means an empty place, so it is stored as 1."""
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
    """Fill one row of ``found`` per text, with the columns of ``trace_measures.Column``."""
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


_SHOWN_CHARS: Final = 300
_EAST_ASIAN: Final = frozenset({"zh", "ja", "ko"})
_IN_OTHER_SCRIPTS: Final = "am ar be bg bn el fa gu he hi hy ka kk km kn lo mk ml mr my ne pa ru si ta te th uk ur"
_OTHER_SCRIPTS: Final = frozenset(_IN_OTHER_SCRIPTS.split())
_LANGUAGE_CHARS: Final = 600  # a language shows early


class Column(IntEnum):
    """Columns of what :func:`trace_loops.measure_all` finds; places are byte offsets, RUN_TOKENS counts all copies."""

    TOKENS = 0
    WORDS = 1
    RUN_TOKENS = 2
    RUN_PERIOD = 3
    RUN_START = 4
    RUN_END = 5
    REPEATED = 6
    PHRASE_START = 7
    PHRASE_END = 8
    MODEL_TOKENS = 9
    LATIN_WORDS = 10
    IDEOGRAPHS = 11


class PartMeasures(NamedTuple):
    """One part of a response.

    Attributes:
        language: of its beginning, as ``tracemill.text.language.guess`` says.
        n_latin: words in Latin letters; n_ideographs: ideographs, kana and hangul syllables.
        n_words: letters and digits in a run are a word, and so is every ideograph.
        n_tokens: of a language model's tokenizer, estimated: see :func:`measure`.
        run_tokens: length of the longest run of copies, in tokens of ``trace_loops``; 0 without one.
        run_period: tokens of one copy.
        run_text: the first few hundred characters of the run.
        repeated_share: share of its tokens that stand in a phrase that was there before.
        repeated_text: the first few hundred characters of the longest stretch of such tokens.
    """

    language: str
    n_latin: int
    n_ideographs: int
    n_words: int
    n_tokens: int
    run_tokens: int
    run_period: int
    run_text: str
    repeated_share: float
    repeated_text: str


@dataclass(frozen=True, slots=True)
class TraceMeasures(Row):
    """One response's measures; of the two parts, runs and repetition of the worse one.

    Attributes:
        language_share: of the words of the think part, those in the script of the prompt's language, which R1 was
            rewarded for (arXiv 2501.12948 section 2.3.2); None where the language is not told or the script is neither
            Latin nor East Asian. Names of variables are Latin words too.
    """

    response_id: str
    problem_id: str
    prompt_language: str
    think_language: str
    answer_language: str
    language_share: float | None
    think_words: int
    answer_words: int
    think_tokens: int
    answer_tokens: int
    run_tokens: int
    run_period: int
    run_text: Text
    repeated_share: float
    repeated_text: Text


def measure_responses(
    responses: Sequence[Response], prompts: Mapping[str, str], rules: Repetition
) -> list[TraceMeasures]:
    """Return the measures of all responses of a shard.

    Args:
        responses: in any order.
        prompts: by problem id.
        rules: what counts as a run, and as a phrase.
    """
    thinks = measure([response.think or "" for response in responses], rules)
    answers = measure([response.answer for response in responses], rules)
    languages = {problem_id: language(prompt) for problem_id, prompt in prompts.items()}
    return [
        _joined(response, languages[response.problem_id], think, answer)
        for response, think, answer in zip(responses, thinks, answers, strict=True)
    ]


def _joined(response: Response, prompt_language: str, think: PartMeasures, answer: PartMeasures) -> TraceMeasures:
    running = max(think, answer, key=lambda part: part.run_tokens)
    repeating = max(think, answer, key=lambda part: part.repeated_share)
    return TraceMeasures(
        response_id=response.id,
        problem_id=response.problem_id,
        prompt_language=prompt_language,
        think_language=think.language,
        answer_language=answer.language,
        language_share=_language_share(think, prompt_language),
        think_words=think.n_words,
        answer_words=answer.n_words,
        think_tokens=think.n_tokens,
        answer_tokens=answer.n_tokens,
        run_tokens=running.run_tokens,
        run_period=running.run_period,
        run_text=running.run_text,
        repeated_share=repeating.repeated_share,
        repeated_text=repeating.repeated_text,
    )


def _language_share(think: PartMeasures, prompt_language: str) -> float | None:
    n_words = think.n_latin + think.n_ideographs
    if not n_words or prompt_language == UNDETERMINED or prompt_language in _OTHER_SCRIPTS:
        return None
    n_own = think.n_ideographs if prompt_language in _EAST_ASIAN else think.n_latin
    return round(n_own / n_words, 6)


def measure(texts: Sequence[str], rules: Repetition) -> list[PartMeasures]:
    """Return the measures of texts of any length.

    Model tokens are estimated with the weights of ``token_length.estimated_tokens``, here in a compiled loop.
    """
    data, offsets = utf8(texts)
    found = np.zeros((len(texts), len(Column)), np.int64)
    measure_all(data, offsets, kinds_of_characters(), rules.copies, rules.phrase_tokens, found)
    return [_part(text, row, data) for text, row in zip(texts, found, strict=True)]


def _part(text: str, row: NDArray[np.int64], data: NDArray[np.uint8]) -> PartMeasures:
    return PartMeasures(
        language=language(text[:_LANGUAGE_CHARS]),
        n_latin=int(row[Column.LATIN_WORDS]),
        n_ideographs=int(row[Column.IDEOGRAPHS]),
        n_words=int(row[Column.WORDS]),
        n_tokens=round(int(row[Column.MODEL_TOKENS]) / 100),
        run_tokens=int(row[Column.RUN_TOKENS]),
        run_period=int(row[Column.RUN_PERIOD]),
        run_text=_shown(data, row[Column.RUN_START], row[Column.RUN_END]),
        repeated_share=round(float(row[Column.REPEATED] / max(1, row[Column.TOKENS])), 6),
        repeated_text=_shown(data, row[Column.PHRASE_START], row[Column.PHRASE_END]),
    )


def _shown(data: NDArray[np.uint8], start: int, end: int) -> str:
    return data[start : min(end, start + 4 * _SHOWN_CHARS)].tobytes().decode("utf-8", "ignore")[:_SHOWN_CHARS]


def utf8(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the texts' bytes end to end, and the offsets between them; a lone surrogate is a question mark."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(part) for part in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


@functools.cache
def kinds_of_characters() -> NDArray[np.uint8]:
    """Kind of every code point: what ``tracemill.text.words.words`` sees as a word is a word or an ideograph here."""
    kinds = np.full(0x110000, MARK, np.uint8)
    for code in range(0x110000):
        character = chr(code)
        if character.isalnum():
            kinds[code] = WORD
        elif character.isspace():
            kinds[code] = SPACE
    for first, last in ((0x3040, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7AF)):
        kinds[first : last + 1] = IDEOGRAPH
    return kinds
