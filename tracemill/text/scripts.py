r"""Which characters words are made of, by script: for patterns that cut text into words.

Where no blanks stand between words, a word is what can be told without a dictionary: an ideograph, kana or hangul
syllable by itself; in Thai, Lao, Khmer, Burmese and their kin a consonant with the vowels and tones around it. Runs of
such words are the same wherever somebody has put blanks or zero-width blanks.

In the scripts of India, in Tibetan and others, vowels are combining marks, which ``\w`` leaves out.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Kana, bopomofo, Han with its extensions, Yi, hangul.
IDEOGRAPHS: Final = (
    "\u3005-\u3007\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u9fff\ua000-\ua48c\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)

# Thai and Lao, Burmese, Khmer, Tai Le to Khmer symbols, Tai Tham, Balinese, Javanese, Burmese extended, Cham to
# Burmese extended A, Tai Viet.
_UNSPACED: Final = (
    range(0xE00, 0xF00),
    range(0x1000, 0x10A0),
    range(0x1780, 0x1800),
    range(0x1950, 0x19E0),
    range(0x1A20, 0x1AB0),
    range(0x1B00, 0x1B80),
    range(0xA980, 0xAA00),
    range(0xAA00, 0xAAE0),
)
_BEFORE: Final = "เแโใไເແໂໃໄ"  # vowels that are written before their consonant
_BEHIND: Final = "ะาำๅະາຳ"  # and behind it, where Unicode calls them letters


def _members(categories: str) -> str:
    """Characters of the scripts without blanks, of the categories that begin with one of these letters."""
    codes = [code for block in _UNSPACED for code in block if unicodedata.category(chr(code))[0] in categories]
    return "".join(chr(code) for code in codes if chr(code) not in _BEHIND)


_MARKS: Final = _members("M") + _BEHIND
SYLLABLE: Final = f"[{_BEFORE}]*[{_members('L')}][{_MARKS}]*|[{_MARKS}]+"
UNSPACED: Final = f"{IDEOGRAPHS}{_members('L')}{_MARKS}"
_SOME_UNSPACED: Final = re.compile(f"[{UNSPACED}]")
_APART: Final = re.compile(f"[{IDEOGRAPHS}]|{SYLLABLE}")

# Blocks of scripts whose vowels are marks, but for their punctuation: Syriac to Mandaic, Devanagari to Sinhala,
# Tibetan, Ethiopic's marks, Philippine scripts, Limbu, Buginese, Sundanese to Vedic, Syloti to Kayah Li, Meetei, and
# those beyond the first plane.
VOWELLED: Final = (
    "\u0710-\u07f5\u0800-\u085b\u0900-\u0963\u0966-\u096f\u0971-\u0df3\u0f00\u0f18-\u0f39\u0f3e-\u0f84\u0f86-\u0fbc"
    "\u135d-\u135f\u1700-\u1734\u1740-\u1773\u1900-\u193b\u1a00-\u1a1b\u1b80-\u1bf3\u1c00-\u1c37\u1cd0-\u1cfa"
    "\ua800-\ua827\ua880-\ua8c5\ua8e0-\ua8f7\ua900-\ua953\uaae0-\uaaef\uabc0-\uabea\U00010a00-\U00010a4f"
    "\U00011000-\U00011fff"
)
_VOWELLED: Final = re.compile(f"[{VOWELLED}]")


def is_unspaced(text: str) -> bool:
    """Tell whether a text has words that no blanks stand between."""
    return _SOME_UNSPACED.search(text) is not None


def has_vowel_marks(text: str) -> bool:
    """Tell whether a text is written in a script whose vowels are combining marks."""
    return _VOWELLED.search(text) is not None


def apart(text: str) -> str:
    """Return the text with blanks around every word that has none around it."""
    return _APART.sub(r" \g<0> ", text) if is_unspaced(text) else text
