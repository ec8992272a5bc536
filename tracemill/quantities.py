"""What sets maths problems apart that are worded alike: their numbers, operators and turning words, in order."""

from __future__ import annotations

import re
import unicodedata

# Numbers with their decimals, operators, and words. Hyphens join words, so a minus counts only before a number or a
# bracket.
_QUANTITY = re.compile(
    r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)*|\d+(?:\.\d+)*|-(?=[ \t\n]*[\d(\\])|[+*/^=<>|!]|[a-z]+", re.ASCII
)
_UNITS = (
    "zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
# "one" is left out: it is a pronoun more often than a number.
_NUMBER_WORDS = dict(zip(_UNITS.split(), map(str, [0, *range(2, 20)]), strict=True)) | dict(
    zip(_TENS.split(), map(str, range(20, 100, 10)), strict=True)
)
# Words whose exchange makes another problem of the same length: multiples, fractions, extremes, directions, functions.
_TURNING_WORDS = """
half third thirds quarter quarters fifth sixth twice double triple thrice dozen hundred thousand million
more less fewer most least largest smallest greatest maximum minimum max min increase increased decrease decreased
even odd positive negative not without before after sum difference product quotient average mean median mode range
area perimeter volume circumference radius diameter length width height left right up down north south east west
sin cos tan cot sec csc arcsin arccos arctan log ln exp sinh cosh tanh sqrt cap cup lt gt le ge leq geq neq
monday tuesday wednesday thursday friday saturday sunday weekly daily monthly yearly
"""
# Word -> the token that it counts as.
APART_WORDS = _NUMBER_WORDS | {word: word for word in _TURNING_WORDS.split()}


def quantities(prompt: str) -> list[str]:
    """Numbers, operators and turning words in their order: maths problems that differ in them are not the same.

    Operators too, since words alone take arccos(-1) for arccos(1); and words such as *largest* and *smallest*. Numbers
    in words count as numbers, so that "3 apples" and "three apples" are the same.
    """
    found = _QUANTITY.findall(ascii_text(prompt).lower())
    tokens = (APART_WORDS.get(token, "") if token[0].isalpha() else token.replace(",", "") for token in found)
    return [token for token in tokens if token]


def ascii_text(text: str) -> str:
    """The text with signs and digits beyond ASCII as their ASCII forms, and everything else beyond ASCII as blanks."""
    return text if text.isascii() else text.translate(_ASCII)


class _AsciiForms(dict[int, str]):
    """Filled as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        digit = unicodedata.digit(character, None)
        if code < 128:
            form = character
        elif digit is None:
            form = " "
        else:
            form = f"{'' if character.isdecimal() else '^'}{digit}"
        self[code] = form
        return form


_ASCII = _AsciiForms(
    {ord(sign): form for sign, form in {"−": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "≤": "<=", "≥": ">="}.items()}
)
