r"""Numbers as a text tells them: in digits and words, as fractions, per cents, multiples and dozens, with their units.

"half", 1/2, ½, 0.5 and "50 %" are one number told in five ways, and so are "2 hours" and "120 minutes", "$1.50" and
"150 cents", "two dozen" and 24. Who says a question in other words often tells its numbers in another way too. So a
number has *forms*: all that it may be told as.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from tracemill.text.normal_form import NUMBER_WORDS, number_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FRACTION_COMMAND: Final = re.compile(r"\\[dtc]?frac\s*(?:\{([^{}]+)\}|(\d))\s*(?:\{([^{}]+)\}|(\d))")
_THOUSANDS_MARK: Final = re.compile(r"(?<=\d)(?:\{,\}|\\,|\\!|,)(?=\d{3}(?!\d))")
_BEFORE_VULGAR: Final = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
_TOKEN: Final = re.compile(r"\d+(?:\.\d+)?|\.\d+|[^\W\d_]+|[$€£¢%/.,;:?!]")
_MULTIPLES: Final = {
    **dict.fromkeys(("twice", "double", "doubles", "doubled", "doubling", "twofold"), 2),
    **dict.fromkeys(("thrice", "triple", "triples", "tripled", "tripling", "treble", "trebled", "threefold"), 3),
    **dict.fromkeys(("quadruple", "quadruples", "quadrupled", "fourfold"), 4),
    **dict.fromkeys(("quintuple", "quintupled", "fivefold"), 5),
    "tenfold": 10,
}
_HALVES: Final = frozenset(("half", "halves", "halve", "halved", "halving"))
_PARTS: Final = {
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
    "eleventh": 11,
    "twelfth": 12,
    "hundredth": 100,
}
_PLURAL_PARTS: Final = {f"{name}s": number for name, number in _PARTS.items()}
_ORDINALS: Final = {"first": 1, "second": 2}  # the others are parts as well
_PAIRS: Final = frozenset(("couple", "pair", "pairs", "both", "either", "twin", "twins"))
# Nouns that count as so many of another unit; "two decades" are 20 years.
_COLLECTIVES: Final = {"fortnight": 14, "dozen": 12, "dozens": 12, "decade": 10, "decades": 10, "century": 100}
_ARTICLES: Final = frozenset(("a", "an", "one", "1"))
_SCALES: Final = {"k": 1000, "thousand": 1000, "million": 10**6, "billion": 10**9}
# What one unit is in others, up and down.
_UNITS: Final[Mapping[str, tuple[Fraction, ...]]] = {
    name: tuple(map(Fraction, factors.split()))
    for names, factors in {
        "second seconds sec secs": "1/60",
        "minute minutes min mins": "60 1/60",
        "hour hours hr hrs h": "60 1/24",
        "day days": "24 1/7",
        "week weeks": "7",
        "fortnight": "2",
        "month months": "4 30 1/12",
        "year years": "12 52 365",
        "dollar dollars buck bucks usd euro euros pound pounds lb lbs": "100 16 1/2000",
        "cent cents penny pennies": "1/100",
        "nickel nickels": "5",
        "dime dimes": "10",
        "foot feet ft": "12 1/3",
        "inch inches in": "1/12",
        "yard yards yd": "3 36",
        "mile miles mi": "5280 1760",
        "ounce ounces oz": "1/16 1/8",
        "ton tons": "2000 1000",
        "gallon gallons": "4 16 8",
        "quart quarts": "1/4 2 4",
        "pint pints": "1/8 1/2 2",
        "cup cups": "1/16 8",
        "kilogram kilograms kg kilometer kilometers kilometre kilometres km liter liters litre litres l": "1000",
        "kilowatt kilowatts": "1000",
        "gram grams g milliliter milliliters ml watt watts": "1/1000",
        "meter meters metre metres m": "100 1/1000",
        "centimeter centimeters centimetre centimetres cm": "10 1/100",
        "millimeter millimeters mm": "1/10",
    }.items()
    for name in names.split()
}
# Words of time that imply how many of the smaller unit they have: "7 days" for "a week", "in 12 months" for "yearly".
_IMPLY: Final = {
    "minute": "minute",
    "hour": "hour",
    "hourly": "hour",
    "day": "day",
    "daily": "day",
    "week": "week",
    "weekly": "week",
    "month": "month",
    "monthly": "month",
    "year": "year",
    "yearly": "year",
    "annual": "year",
    "annually": "year",
}
_MONEY: Final = frozenset("$€£")
_PM: Final = ("p", ".", "m")
_LONGEST: Final = 30  # digits; longer ones are data, not numbers that are said


# A value, and what it is a value of: "" alone, "part" of a whole, "times" as much.
Form = tuple[str, Fraction]


@dataclass(frozen=True, slots=True)
class Told:
    """A number of a text.

    Attributes:
        value: as told: 1/2 for "half", 50 for "50 %", 2 for "2 hours", 24 for "two dozen".
        forms: all that it may be told as: 1/2 and 50; 2 and 120. A part or a multiple is marked as one, since "half as
            many" is "twice as many" seen from the other side and "40 % off" leaves 60 %, but half of something has
            nothing to do with 2 hours.
        is_weak: it is often told by no number at all ("both", "one", "the 2nd", the 7 days of "a week"): where it
            stands it explains a number of the other text, and where it does not stand nothing is missing.
    """

    value: Fraction
    forms: frozenset[Form]
    is_weak: bool = False


def _told(value: Fraction, also: Iterable[Fraction] = (), *marked: Form, is_weak: bool = False) -> Told:
    return Told(value, frozenset([("", value), *(("", other) for other in also), *marked]), is_weak)


def _multiple(value: Fraction) -> Told:
    return _told(value, (), ("times", value), is_weak=value == 1)


# Words that are numbers by themselves, wherever they stand.
_BY_THEMSELVES: Final = {
    **{word: _multiple(Fraction(value)) for word, value in _MULTIPLES.items()},
    **{word: _told(Fraction(2), is_weak=True) for word in _PAIRS},
    **{word: _told(Fraction(value), _UNITS.get(word, ())) for word, value in _COLLECTIVES.items()},
    **{word: _told(Fraction(1), _UNITS[unit], is_weak=True) for word, unit in _IMPLY.items()},
    **{word: _told(Fraction(value), is_weak=True) for word, value in (_PARTS | _ORDINALS).items() if word != "quarter"},
}
_MAY_BEGIN: Final = frozenset({*_BY_THEMSELVES, *_HALVES, "quarter", "quarters", *NUMBER_WORDS})


def told_numbers(text: str) -> list[Told]:
    """Return the numbers of a text, in order.

    >>> [str(told.value) for told in told_numbers("Half of the two dozen cost $1.50, or 25% more, for thirty-one men")]
    ['1/2', '24', '3/2', '25', '31']
    """
    tokens = _tokens(text)
    found: list[Told] = []
    place = 0
    while place < len(tokens):
        if tokens[place].isalpha() and tokens[place] not in _MAY_BEGIN:
            place += 1
            continue
        told, place = _told_at(tokens, place)
        if told is not None:
            found.append(told)
    return found


def _tokens(text: str) -> list[str]:
    """Words, numbers in digits, and the signs that say what a number is."""
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _BEFORE_VULGAR.sub(" ", text)).replace("\u2044", "/")
    if "\\" in text:
        text = _FRACTION_COMMAND.sub(r" \1\2/\3\4 ", text)
    return [token[:_LONGEST] for token in _TOKEN.findall(_THOUSANDS_MARK.sub("", text.casefold()))]


def _after(tokens: list[str], place: int) -> tuple[str, str, str]:
    """Three tokens from a place on; "" behind the last."""
    first, second, third = [*tokens[place : place + 3], "", "", ""][:3]
    return first, second, third


def _told_at(tokens: list[str], place: int) -> tuple[Told | None, int]:
    """Return the number that begins at a token, None where none does; and where the text goes on."""
    token = tokens[place]
    if token in _HALVES:
        return _part(tokens, Fraction(1, 2), place + 1)
    if token in ("quarter", "quarters") or (token in _PARTS and place and tokens[place - 1] in _ARTICLES):
        return _part(tokens, Fraction(1, _PARTS.get(token, 4)), place + 1)
    if token in _BY_THEMSELVES:
        return _BY_THEMSELVES[token], place + 1
    value, after = _number(tokens, place)
    return (None, after) if value is None else _counted(tokens, value, place, after)


def _number(tokens: list[str], place: int) -> tuple[Fraction | None, int]:
    """Return a number in digits or words, with its scale."""
    if place >= len(tokens):
        return None, place
    following, then, _ = _after(tokens, place + 1)
    if tokens[place][-1].isdigit() and following != "hundred":
        scaled = following in _SCALES or (following == "m" and place > 0 and tokens[place - 1] in _MONEY)
        return Fraction(tokens[place]) * (_SCALES.get(following, 10**6) if scaled else 1), place + 1 + scaled
    value, after = number_at(tokens, place)
    if value is None:
        return None, after
    joint, then, _ = _after(tokens, after)
    if joint == "and" and then and value % 100 == 0:  # two hundred and fifty thousand
        thousands, end = number_at(tokens, after + 1)
        if thousands and thousands % 1000 == 0 and thousands < 100_000:
            return Fraction(value * 1000 + thousands), end
    return Fraction(value), after


def _counted(tokens: list[str], value: Fraction, begun: int, after: int) -> tuple[Told, int]:
    """Return a number with what follows it."""
    return (
        _fraction(tokens, value, after)
        or _marked(tokens, value, after)
        or _mixed(tokens, value, after)
        or _measured(tokens, value, after, is_money=begun > 0 and tokens[begun - 1] in _MONEY)
    )


def _fraction(tokens: list[str], value: Fraction, after: int) -> tuple[Told, int] | None:
    """Return a number that goes on as a fraction: 3/4, three quarters, one in four."""
    first, second, _ = _after(tokens, after)
    if first == "/" and second.isdecimal() and int(second):
        return _part(tokens, value / int(second), after + 2)
    named = _PLURAL_PARTS.get(first) or (_PARTS.get(first) if value == 1 else None)
    if named:
        return _part(tokens, value / named, after + 1)
    if value == 1 and (first == "in" or (first, second) == ("out", "of")):
        whole, end = _number(tokens, after + (1 if first == "in" else 2))
        return _part(tokens, 1 / whole, end) if whole else None
    return None


def _marked(tokens: list[str], value: Fraction, after: int) -> tuple[Told, int] | None:
    """A number with a word or sign behind it that says what it is: dozens, 20th, times, per cent, the hour of a day."""
    first, second, third = _after(tokens, after)
    if first in _COLLECTIVES:
        return _told(value * _COLLECTIVES[first], [value]), after + 1
    if first in ("st", "nd", "rd", "th"):
        return _told(value, is_weak=True), after + 1
    if first in ("times", "fold", "x") and second not in ("a", "per", "each", "every"):
        return _multiple(value), after + 1
    if first in ("%", "percent") or (first, second) == ("per", "cent"):
        share = value / 100
        marks = (("part", share), ("part", 1 - share), ("times", share), ("times", 1 + share))
        return _told(value, [share], *marks), after + 1
    if (first, second) == (":", "00"):
        return _told(value, [value % 12]), after + 2
    return (_told(value, [value + 12]), after + 1) if first == "pm" or (first, second, third) == _PM else None


def _mixed(tokens: list[str], value: Fraction, after: int) -> tuple[Told, int] | None:
    """Return two and a half, or 2 1/2."""
    first, second, third = _after(tokens, after)
    rest = None
    if (first, second) == ("and", "a") and (third in _HALVES or third in _PARTS):
        rest = Fraction(1, _PARTS.get(third, 2))
    elif first.isdecimal() and second == "/" and third.isdecimal() and 0 < int(first) < int(third):
        rest = Fraction(int(first), int(third))
    if rest is None:
        return None
    unit = _after(tokens, after + 3)[0]
    if unit in _COLLECTIVES:
        return _told((value + rest) * _COLLECTIVES[unit], [value + rest]), after + 4
    told, end = _measured(tokens, value + rest, after + 3)
    return Told(told.value, told.forms | {("", value)}, told.is_weak), end


def _part(tokens: list[str], part: Fraction, after: int) -> tuple[Told, int]:
    """A fraction: also as per cent, as the multiple that it is the other way round, and in the unit that follows."""
    place = after
    while place < len(tokens) and tokens[place] in ("of", "a", "an"):
        place += 1
    unit = _after(tokens, place)[0]
    marks = [("part", part), ("part", 1 - part), ("times", part), *([("times", 1 / part)] if part else [])]
    if unit in _COLLECTIVES:
        return _told(part * _COLLECTIVES[unit], [part], *marks), place + 1
    return _told(part, [100 * part, *(part * factor for factor in _UNITS.get(unit, ()))], *marks), after


def _measured(tokens: list[str], value: Fraction, after: int, *, is_money: bool = False) -> tuple[Told, int]:
    """Return a number, and what it is in other units than the one that it has."""
    units = [Fraction(100)] if is_money else _UNITS.get(_after(tokens, after)[0], ())
    is_part = 0 < value < 1
    marks = [("part", value), ("part", 1 - value)] if is_part else []
    also = [value * factor for factor in units] + [value * 100] * is_part
    return _told(value, also, *marks, is_weak=value == 1 and not is_money), after
