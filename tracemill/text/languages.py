r"""The language of a prompt, without a model of our own: scripts and common English words first, then langdetect.

langdetect is right about prose and wrong about mathematics: it takes "Compute $\tan 180^\circ$." for Romanian, at a
probability of 0.99999. So what is not prose is cut out first, prompts that are plainly English or written in Han, kana
or hangul never reach it (nearly all do not: it takes 2 ms a prompt, the rest 0.02), and what it is not sure of, or what
has too few letters to be sure, is undetermined. Measured by ``benchmarks/curation/label_prompts.py``: docs/labels.md.
"""

from __future__ import annotations

import functools
import re
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from langdetect.detector_factory import DetectorFactory

UNDETERMINED: Final = "und"  # ISO 639-2's code for it; the others are ISO 639-1's
_SURE: Final = 0.8
_ENOUGH_LETTERS: Final = 20
_SHOWN_CHARS: Final = 2_000  # a language shows early

_NOT_PROSE = re.compile(
    r"```.*?```"  # code
    r"|\[asy\].*?\[/asy\]"  # drawings in MATH
    r"|\$\$.*?\$\$|\$[^$]*\$|\\\[.*?\\\]|\\\(.*?\\\)"  # formulas
    r"|\\[A-Za-z]+"  # LaTeX outside of formulas
    r"|https?://\S+",
    re.DOTALL,
)
_LETTER = re.compile(r"[^\W\d_]")
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
_ENGLISH_SHARE: Final = 0.15
_SHORT_ENGLISH_SHARE: Final = 0.5


def language(text: str) -> str:
    """ISO 639-1 code of the language that a prompt is written in, or ``und`` where it cannot be told.

    The same text always gives the same code. Chinese is ``zh`` in either script.
    """
    prose = _NOT_PROSE.sub(" ", text[:_SHOWN_CHARS])
    letters = _LETTER.findall(prose)
    if not letters:
        return UNDETERMINED
    east_asian = _by_script(prose, len(letters))
    if east_asian is not None:
        return east_asian
    if _is_plainly_english(prose, letters):
        return "en"
    return _detected(prose) if len(letters) >= _ENOUGH_LETTERS else UNDETERMINED


def _by_script(prose: str, n_letters: int) -> str | None:
    """Scripts that say it all; three in ten letters, since such prompts name Latin variables and functions."""
    n_kana, n_han, n_hangul = (len(script.findall(prose)) for script in (_KANA, _HAN, _HANGUL))
    if n_kana + n_han >= 0.3 * n_letters:
        return "ja" if n_kana >= 0.1 * (n_kana + n_han) else "zh"
    return "ko" if n_hangul >= 0.3 * n_letters else None


def _is_plainly_english(prose: str, letters: list[str]) -> bool:
    """Two common words and a share of them; or, as in "Compute x", half of them."""
    if sum(map(str.isascii, letters)) < 0.98 * len(letters):
        return False
    words = _WORD.findall(prose.lower())
    common = [word for word in words if word in _ENGLISH]
    share = len(common) / len(words)
    return share >= (_ENGLISH_SHARE if len(set(common)) > 1 else _SHORT_ENGLISH_SHARE)


def _detected(prose: str) -> str:
    from langdetect import LangDetectException

    detector = _factory().create()
    detector.append(prose)
    try:
        found = detector.get_probabilities()
    except LangDetectException:
        return UNDETERMINED
    if not found or found[0].prob < _SURE:
        return UNDETERMINED
    return str(found[0].lang).partition("-")[0]


_loading = threading.Lock()


def _factory() -> DetectorFactory:
    """Profiles of langdetect, loaded once; its own loader is not made for threads."""
    with _loading:
        return _loaded()


@functools.cache
def _loaded() -> DetectorFactory:
    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

    factory = DetectorFactory()
    factory.load_profile(PROFILES_DIRECTORY)
    factory.seed = 0  # it draws samples, and must draw the same ones each time
    return factory
