"""Text as the duplicate and contamination steps see it: words, shingles, numbers."""

from __future__ import annotations

import itertools
import re
import unicodedata

from tracemill.boxes import last_boxed as last_boxed  # noqa: PLC0414 - solutions are texts: readers look for it here
from tracemill.schema import digest, normalise_prompt

# Letters and digits of any script; CJK has no spaces, so each ideograph, kana or hangul syllable is a word of its own.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


def words(text: str) -> list[str]:
    """Case-folded words, without punctuation."""
    return _WORD.findall(unicodedata.normalize("NFC", text).casefold())


def has_words(text: str, n: int) -> bool:
    """Whether :func:`words` are at least ``n``; reads no further than that."""
    return sum(1 for _ in itertools.islice(_WORD.finditer(unicodedata.normalize("NFC", text)), n)) == n


def ngrams(tokens: list[str], n: int) -> list[str]:
    """Runs of ``n`` words, joined by blanks; a shorter text is one run of all its words, an empty one none."""
    if len(tokens) <= n:
        return [" ".join(tokens)] if tokens else []
    return [" ".join(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]


def exact_text(prompt: str) -> str:
    """What has to be equal for two prompts to be the same text: case and white space do not count."""
    return normalise_prompt(prompt).casefold()


def exact_key(prompt: str) -> str:
    """Digest of :func:`exact_text`."""
    return digest("exact", exact_text(prompt))
