r"""The language of a prompt: scripts and common English words first, then py3langid's model.

What is not prose is cut out first: models are right about prose and wrong about mathematics (langdetect takes "Compute
$\tan 180^\circ$." for Romanian, at a probability of 0.99999). Prompts that are plainly English or written in Han, kana
or hangul never reach the model (nearly all do not), and what it is not sure of, or what has too few letters to be sure,
is undetermined. Measured by ``benchmarks/curation/label_prompts.py``: docs/labels.md.
"""

from __future__ import annotations

import re
import string
from typing import Final

VERSION: Final = 2  # part of the versions of the stages that ask: grows whenever any text may be told otherwise
UNDETERMINED: Final = "und"  # ISO 639-2's code for it; the others are ISO 639-1's
_ENOUGH_LETTERS: Final = 12
# The least probability, by letters: of the real prompts and benchmarks/curation/languages.jsonl, texts of one language
# are above it, and words of no language, of which the model is the surer the more there are, mostly below.
_SURE: Final = ((130, 0.9), (60, 0.6), (0, 0.4))
_SHOWN_CHARS: Final = 2_000  # a language shows early
_MODEL_CHARS: Final = 1_000  # of prose; the model takes 0.1 us a character

_NOT_PROSE = re.compile(
    r"```.*?```"  # code
    r"|\[asy\].*?\[/asy\]"  # drawings in MATH
    r"|\$\$.*?\$\$|\$[^$]*\$|\\\[.*?\\\]|\\\(.*?\\\)"  # formulas
    r"|\\[A-Za-z]+"  # LaTeX outside of formulas
    r"|https?://\S+",
    re.DOTALL,
)
_MARKS: Final = ("$", "\\", "```", "[asy]", "://")  # without any there is nothing to cut out
_LETTERS = re.compile(r"[^\W\d_]+")
_NO_LETTERS: Final = bytes(set(range(128)) - set(string.ascii_letters.encode()))
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7af]")
_WORD = re.compile(r"[a-z]+")
# Frequent in English prompts, and hardly words of another language in Latin script: no "is", "of", "was", "for", "are".
_ENGLISH_WORDS: Final = """
    the and what how many much which that this these those with from if there they their them you your each every when
    where who why were been would could should does did not all any more than then after before between into only she
    her him his has have other first same half total number value given following people day days week year years time
    times find let compute evaluate calculate determine simplify solve prove show express factor expand multiply
    convert write create explain describe function returns using
"""
_ENGLISH: Final = frozenset(_ENGLISH_WORDS.split())
_ASCII_SHARE: Final = 0.98
_ENGLISH_SHARE: Final = 0.15
_SHORT_ENGLISH_SHARE: Final = 0.5


def language(text: str) -> str:
    """ISO 639-1 code of the language that a prompt is written in, or ``und`` where it cannot be told.

    The same text always gives the same code. Chinese is ``zh`` in either script.
    """
    shown = text[:_SHOWN_CHARS]
    prose = _NOT_PROSE.sub(" ", shown) if any(mark in shown for mark in _MARKS) else shown
    n_ascii = len(prose.encode("ascii", "ignore").translate(None, _NO_LETTERS))
    n_letters = n_ascii if prose.isascii() else sum(map(len, _LETTERS.findall(prose)))
    if not n_letters:
        return UNDETERMINED
    if n_letters > n_ascii:
        east_asian = _by_script(prose, n_letters)
        if east_asian is not None:
            return east_asian
    if n_ascii >= _ASCII_SHARE * n_letters and _is_plainly_english(prose):
        return "en"
    return _likeliest(prose, n_letters) if n_letters >= _ENOUGH_LETTERS else UNDETERMINED


def _by_script(prose: str, n_letters: int) -> str | None:
    """Scripts that say it all; three in ten letters, since such prompts name Latin variables and functions."""
    n_kana, n_han, n_hangul = (len(script.findall(prose)) for script in (_KANA, _HAN, _HANGUL))
    if n_kana + n_han >= 0.3 * n_letters:
        return "ja" if n_kana >= 0.1 * (n_kana + n_han) else "zh"
    return "ko" if n_hangul >= 0.3 * n_letters else None


def _is_plainly_english(prose: str) -> bool:
    """Return two common words and a share of them; or, as in "Compute x", half of them."""
    words = _WORD.findall(prose.lower())
    common = [word for word in words if word in _ENGLISH]
    share = len(common) / len(words)
    return share >= (_ENGLISH_SHARE if len(set(common)) > 1 else _SHORT_ENGLISH_SHARE)


def _likeliest(prose: str, n_letters: int) -> str:
    from tracemill.text.language.model import NO_LANGUAGE, likeliest

    found, probability = likeliest(prose[:_MODEL_CHARS])
    sure = next(sure for at_least, sure in _SURE if n_letters >= at_least)
    return found if probability >= sure and found != NO_LANGUAGE else UNDETERMINED
