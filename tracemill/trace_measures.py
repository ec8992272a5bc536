"""What is measured on every response, whether a filter uses it or not: languages, lengths, repetition.

Think and answer are measured apart, since a sound answer may well say again what was thought.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import numpy as np
import pyarrow as pa

from tracemill.languages import UNDETERMINED, language
from tracemill.schema import Row
from tracemill.trace_loops import IDEOGRAPH, MARK, SPACE, WORD, measure_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tracemill.recipe_quality import Repetition
    from tracemill.schema import Response

_SHOWN_CHARS: Final = 300
_EAST_ASIAN: Final = frozenset({"zh", "ja", "ko"})
# The languages that langdetect knows in other scripts.
_IN_OTHER_SCRIPTS: Final = "ar bg bn el fa gu he hi kn mk ml mr ne pa ru ta te th uk ur"
_OTHER_SCRIPTS: Final = frozenset(_IN_OTHER_SCRIPTS.split())
_LANGUAGE_CHARS: Final = 600  # a language shows early; where it has to be guessed, 2,000 characters take 50 ms


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
        language: of its beginning, as ``tracemill.languages`` says.
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
    run_text: str
    repeated_share: float
    repeated_text: str

    arrow: ClassVar[pa.Schema] = pa.schema(
        [
            ("response_id", pa.string()),
            ("problem_id", pa.string()),
            ("prompt_language", pa.string()),
            ("think_language", pa.string()),
            ("answer_language", pa.string()),
            ("language_share", pa.float64()),
            ("think_words", pa.int64()),
            ("answer_words", pa.int64()),
            ("think_tokens", pa.int64()),
            ("answer_tokens", pa.int64()),
            ("run_tokens", pa.int64()),
            ("run_period", pa.int64()),
            ("run_text", pa.large_string()),
            ("repeated_share", pa.float64()),
            ("repeated_text", pa.large_string()),
        ]
    )


def measure_responses(
    responses: Sequence[Response], prompts: Mapping[str, str], rules: Repetition
) -> list[TraceMeasures]:
    """Measures of all responses of a shard.

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
    """Measures of texts of any length.

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
    """The texts' bytes end to end, and the offsets between them; a lone surrogate is a question mark."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(part) for part in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


@functools.cache
def kinds_of_characters() -> NDArray[np.uint8]:
    """Kind of every code point: what ``tracemill.text.words`` sees as a word is a word or an ideograph here."""
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
