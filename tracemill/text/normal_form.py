r"""Text as decontamination compares it: words that do not depend on how a question is set.

The same question is found in LaTeX and in Unicode, with ``\dfrac`` and with a slash, in Markdown and without, with its
numbers in digits and in words. What only sets text (``\left``, ``$``, ``**``) and punctuation are left out.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from tracemill.text import scripts
from tracemill.text.character_forms import one_form, without_accents
from tracemill.text.scripts import IDEOGRAPHS, SYLLABLE, UNSPACED, VOWELLED, has_vowel_marks

if TYPE_CHECKING:
    from collections.abc import Iterable

_GREEK: Final = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi "
    "psi omega"
)
_GREEK_SIGNS: Final = "αβγδεζηθικλμνξοπρστυφχψω"
_SIGNS: Final = {
    "√": "sqrt",
    "∞": "infty",
    "°": "degree",
    "≤": "le",
    "≥": "ge",
    "≠": "ne",
    "∈": "in",
    "∑": "sum",
    "∏": "prod",
    "∫": "int",
    "∪": "cup",
    "∩": "cap",
    "⊂": "subset",
    "⊆": "subseteq",
    "→": "to",
    "±": "pm",
    "∠": "angle",
    "△": "triangle",
    "⊥": "perp",
    "≡": "equiv",
    "≈": "approx",
}
# In one form of characters, case-folded.
_SPELLED: Final = _SIGNS | dict(zip(_GREEK_SIGNS, _GREEK.split(), strict=True))
_SIGN: Final = re.compile(f"[{''.join(_SPELLED)}]")
# Commands that set text and say nothing; words without the backslash stay.
_SILENT: Final = """
left right big bigg bigl bigr biggl biggr displaystyle textstyle text mathrm mathbf mathit mathsf mathcal mathbb textbf
textit textrm emph underline operatorname mbox hbox frac dfrac tfrac cfrac cdot times quad qquad hspace vspace limits
nolimits rm bf it begin end hfill ensuremath boldsymbol bm
"""
SILENT: Final = frozenset(_SILENT.split())
# Words and commands of one meaning -> one of them.
SAME: Final = {
    "leq": "le",
    "leqslant": "le",
    "geq": "ge",
    "geqslant": "ge",
    "neq": "ne",
    "circ": "degree",
    "degrees": "degree",
    "varphi": "phi",
    "varepsilon": "epsilon",
    "dots": "ldots",
    "cdots": "ldots",
    "rightarrow": "to",
    "implies": "to",
    "determine": "find",
    "compute": "find",
    "calculate": "find",
    "evaluate": "find",
}
_COMMAND: Final = re.compile(r"\\([a-z]+)|<=|>=|!=|\.\.\.")
_OPERATORS: Final = {"<=": " le ", ">=": " ge ", "!=": " ne ", "...": " ldots "}
# Letters apart from digits, so that 2x, 2 x and 2\cdot x are the same. Hyphens join words: a minus stands before a
# digit, a bracket or a command.
_NUMBER: Final = r"\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:st|nd|rd|th)\b|\d+"
_SIGN_OR_BREAK: Final = r"-(?=\s*[\d(\\{])|(?<=[(={$])-|[+=<>]|[.,;:?!\n]"
_LETTER: Final = rf"[^\W\d_{UNSPACED}]"
_ASCII_WORD: Final = re.compile(rf"{_NUMBER}|[a-z]+|{_SIGN_OR_BREAK}")
_WORD: Final = re.compile(rf"{_NUMBER}|{_LETTER}+|{_SIGN_OR_BREAK}|[{IDEOGRAPHS}]|{SYLLABLE}")
_WORD_OF_MARKS: Final = re.compile(rf"{_NUMBER}|(?:{_LETTER}|[{VOWELLED}])+|{_SIGN_OR_BREAK}|[{IDEOGRAPHS}]|{SYLLABLE}")
# Seen as letters by the compiled loops, and none.
_PUNCTUATION: Final = re.compile(rf"[^\w\x00-\x7f{UNSPACED}{VOWELLED}]+")
_GROUPED: Final = re.compile(r",\d{3}")
_BREAKS: Final = frozenset(".,;:?!\n")  # a number in words does not go on behind one; no words themselves
_SIGN_WORDS: Final = frozenset("+-=<>")
_UNITS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS: Final = "first second third fourth fifth sixth seventh eighth ninth tenth"
_ORDINALS_IN_DIGITS: Final = "1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th"
_SMALL: Final = {word: value for value, word in enumerate(_UNITS.split())}
_TEN: Final = {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}
_HUNDRED: Final = "hundred"
_SCALE: Final = {"thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
NUMBER_WORDS: Final = frozenset({*_SMALL, *_TEN, *_SCALE, _HUNDRED})
_ORDINAL: Final = dict(zip(_ORDINALS.split(), _ORDINALS_IN_DIGITS.split(), strict=True))


def normal_words(text: str) -> list[str]:
    r"""Words, numbers and signs of a question, however it is set.

    >>> normal_words(r"Simplify $\dfrac{1}{2}x^{2}$ for **twenty-five** values $x \leqslant 1,000$")
    ['simplify', '1', '2', 'x', '2', 'for', '25', 'values', 'x', 'le', '1000']
    """
    plain = _COMMAND.sub(_plain, spelled(html.unescape(text) if "&" in text else text))
    words = _with_digits([SAME.get(token, token) for token in _pattern(plain).findall(plain)])
    return [word.replace(",", "") for word in words] if _GROUPED.search(plain) else words


def spelled(text: str) -> str:
    """Case-folded, in one form of characters without accents, signs and Greek letters by the names LaTeX gives them."""
    text = one_form(text)
    return text.lower() if text.isascii() else _SIGN.sub(_named, without_accents(text.casefold()))


def apart(text: str) -> str:
    """As :func:`spelled`, with blanks around every word that has none, and for every sign beyond ASCII."""
    plain = spelled(text)
    return plain if plain.isascii() else scripts.apart(_PUNCTUATION.sub(" ", plain))


def _named(found: re.Match[str]) -> str:
    return f" {_SPELLED[found.group()]} "


def _pattern(text: str) -> re.Pattern[str]:
    if text.isascii():
        return _ASCII_WORD
    return _WORD_OF_MARKS if has_vowel_marks(text) else _WORD


def vocabulary(words: Iterable[str]) -> Counter[str]:
    """Return the words without the signs between them, however ordered."""
    return Counter(word for word in words if word not in _SIGN_WORDS)


def numbers(words: Iterable[str]) -> Counter[str]:
    """Return the numbers among normal words, but for 1, which is a pronoun more often than a number."""
    return Counter(word for word in words if word[0].isdigit() and word != "1")


def _plain(found: re.Match[str]) -> str:
    name = found.group(1)
    if name is None:
        return _OPERATORS[found.group()]
    return " " if name in SILENT else f" {name} "


def _with_digits(tokens: list[str]) -> list[str]:
    """Return the numbers in words as digits."""
    if NUMBER_WORDS.isdisjoint(tokens):
        return [_ORDINAL.get(token, token) for token in tokens if token not in _BREAKS]
    found: list[str] = []
    place = 0
    while place < len(tokens):
        token, value, after = tokens[place], None, place + 1
        if token in NUMBER_WORDS or token[0].isdigit():
            value, after = number_at(tokens, place)
        if token not in _BREAKS:
            found.append(_ORDINAL.get(token, token) if value is None else str(value))
        place = after
    return found


def number_at(tokens: list[str], begun: int) -> tuple[int | None, int]:
    """Value of the number phrase that begins here, None where none does; and where the text goes on."""
    total, current, place = 0, _digits_before_a_scale(tokens, begun), begun
    place += current is not None
    while place < len(tokens):
        token = tokens[place]
        if token in _SCALE and (current or place == begun):
            total, current = total + (current or 1) * _SCALE[token], None
        elif not (place > begun and _is_joint(tokens, place, current)):
            grown = _grown(current, token)
            if grown is None:
                break
            current = grown
        place += 1
    return (None, begun + 1) if place == begun else (total + (current or 0), place)


def _digits_before_a_scale(tokens: list[str], place: int) -> int | None:
    """5 of "5 thousand"; None of any other number in digits, which stands for itself."""
    scaled = place + 1 < len(tokens) and (tokens[place + 1] in _SCALE or tokens[place + 1] == _HUNDRED)
    return int(tokens[place]) if scaled and tokens[place].isdecimal() else None


def _grown(current: int | None, token: str) -> int | None:
    """The number with one more word, as twenty + five or three + hundred; None if the word does not belong to it."""
    value = _SMALL.get(token, _TEN.get(token))
    if token == _HUNDRED:
        return (current or 1) * 100 if current is None or 0 < current < 100 else None
    if value is None or current is None:
        return value
    after_hundreds = current > 0 and current % 100 == 0
    after_tens = current % 100 >= 20 and current % 10 == 0 and 0 < value < 10
    return current + value if after_hundreds or after_tens else None


def _is_joint(tokens: list[str], place: int, current: int | None) -> bool:
    """Tell whether an "and" stands inside a number: two hundred and five."""
    if tokens[place] != "and" or (current or 0) % 100:
        return False
    following, then = [*tokens[place + 1 : place + 3], "", ""][:2]
    return (following in _SMALL or following in _TEN) and then != _HUNDRED and then not in _SCALE


def same_words() -> dict[str, str]:
    """Return every word that has another form, by itself: "" where it is left out, however it stands."""
    in_digits = {word: str(value) for word, value in (_SMALL | _TEN).items()}
    return SAME | in_digits | _ORDINAL
