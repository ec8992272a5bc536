"""Text as the duplicate and contamination steps see it: words, shingles, numbers."""

from __future__ import annotations

import itertools
import re
from typing import Final

from tracemill.core import digest
from tracemill.text.boxes import last_boxed as last_boxed  # noqa: PLC0414 - solutions are texts: readers look for it here
from tracemill.text.character_forms import one_form, without_accents
from tracemill.text.scripts import IDEOGRAPHS, SYLLABLE, UNSPACED, VOWELLED, has_vowel_marks, is_unspaced

# Letters and digits of any script; where words have no blanks between them, what scripts.py calls one. The last pattern
# does for every text; those before it are faster.
_SPACED_WORD: Final = re.compile(r"[^\W_]+")
_WORD: Final = re.compile(rf"[{IDEOGRAPHS}]|[^\W_{UNSPACED}]+|{SYLLABLE}")
_WORD_OF_MARKS: Final = re.compile(rf"(?:[^\W_{UNSPACED}]|[{VOWELLED}])+|[{IDEOGRAPHS}]|{SYLLABLE}")


def words(text: str) -> list[str]:
    """Case-folded words in one form of characters, without punctuation and accents."""
    folded = without_accents(one_form(text).casefold())
    return _pattern(folded).findall(folded)


def has_words(text: str, n: int) -> bool:
    """Tell whether :func:`words` are at least ``n``; reads no further than that."""
    text = one_form(text)
    return sum(1 for _ in itertools.islice(_pattern(text).finditer(text), n)) == n


def _pattern(text: str) -> re.Pattern[str]:
    if text.isascii():
        return _SPACED_WORD
    if has_vowel_marks(text):
        return _WORD_OF_MARKS
    return _WORD if is_unspaced(text) else _SPACED_WORD


def ngrams(tokens: list[str], n: int) -> list[str]:
    """Run of ``n`` words, joined by blanks; a shorter text is one run of all its words, an empty one none."""
    if len(tokens) <= n:
        return [" ".join(tokens)] if tokens else []
    return [" ".join(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]


def exact_text(prompt: str) -> str:
    """What has to be equal for two prompts to be the same text: case, white space and forms of characters do not count.

    Accents do: they tell words apart. What the id of a problem is made of is ``schema.normalise_prompt``, which is kept
    as it is: ids are joins.
    """
    return " ".join(one_form(prompt).casefold().split())


def exact_key(prompt: str) -> str:
    """Return the digest of :func:`exact_text`."""
    return digest("exact", exact_text(prompt))
