"""What sets maths problems apart that are worded alike: numbers, operators, names and turning words, in order."""

from __future__ import annotations

import re
import unicodedata

from tracemill.text.character_forms import one_form

# Numbers with their decimals, Markdown's bold, operators, and words. Hyphens join words, so a minus counts only before
# a number, a bracket or a single letter; two stars are a power only between operands; what follows an apostrophe is no
# name.
_BOLD = "**"
_QUANTITY = re.compile(
    r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)*|\d+(?:\.\d+)*|-(?=[ \t\n]*(?:[\d(\\]|[A-Za-z](?![A-Za-z])))"
    r"|(?<![\w)])\*\*|\*\*(?![\w(])|[+*/^=<>|!]|(?:(?<=[A-Za-z])')?[A-Za-z]+",
    re.ASCII,
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
# Words whose exchange makes another problem of the same length: multiples, fractions, comparisons, extremes, orders,
# directions, figures, functions. Those of figures and rounding came in when pairs that had been let through were read.
_TURNING_WORDS = """
half third thirds quarter quarters fifth sixth twice double triple thrice dozen hundred thousand million
tenth hundredth thousandth integer
more less fewer most least larger largest smaller smallest greater greatest longer longest shorter shortest
higher highest lower lowest older oldest younger youngest faster slower maximum minimum max min
increase increased increasing decrease decreased decreasing ascending descending first last
even odd positive negative not without before after inclusive exclusive uppercase lowercase simple compounded
sum difference product quotient average mean median mode range
area perimeter volume circumference radius diameter length width height left right up down north south east west
bisector altitude pentagon hexagon heptagon octagon nonagon decagon dodecagon pentagonal hexagonal heptagonal octagonal
sin cos tan cot sec csc arcsin arccos arctan log ln exp sinh cosh tanh sqrt cap cup lt gt le ge leq geq neq
monday tuesday wednesday thursday friday saturday sunday weekly daily monthly yearly
"""
# Word -> the token that it counts as.
APART_WORDS = _NUMBER_WORDS | {word: word for word in _TURNING_WORDS.split()}


def quantities(prompt: str) -> list[str]:
    """Numbers, operators, names and turning words in their order: maths problems that differ in them are not the same.

    Operators too, since words alone take arccos(-1) for arccos(1); names, that is single letters and words in capitals,
    since "find b" is not "find c" and the letters of MISSISSIPPI are not those of CIRCLE; and words such as *largest*
    and *smallest*. Numbers in words count as numbers, so that "3 apples" and "three apples" are the same.
    """
    tokens = map(_counted, _QUANTITY.findall(ascii_text(prompt)))
    return [token for token in tokens if token not in ("", _BOLD)]


def _counted(token: str) -> str:
    """Return what a token counts as; "" if it does not. The letters a and i are words more often than names."""
    if not token[-1].isalpha():
        return token.replace(",", "")
    lowered = token.lower()
    is_name = lowered not in ("a", "i") if len(token) == 1 else token.isalpha() and token.isupper()
    return APART_WORDS.get(lowered, lowered if is_name else "")


def ascii_text(text: str) -> str:
    """The text with signs and digits beyond ASCII as their ASCII forms, and everything else beyond ASCII as blanks."""
    return text if text.isascii() else one_form(text).translate(_ASCII)


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
    {
        ord(sign): form
        for sign, form in {"−": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "≤": "<=", "≥": ">=", "’": "'"}.items()
    }
)
