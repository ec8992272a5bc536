"""Answers of mathematics as text: tidy LaTeX, read plain numbers. How a box is found: ``tracemill.text.boxes``.

Standard library only, no mathematics beyond fractions: everything here is cheap enough to run outside the workers.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import NamedTuple

from tracemill.text.boxes import closing_brace
from tracemill.text.boxes import last_box as last_box  # noqa: PLC0414 - what it finds is what is read here

_UNICODE = str.maketrans(
    {
        "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "÷": r"\div ", "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ",
        "≥": r"\ge ", "≠": r"\ne ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ",
        "°": r"^\circ", "²": "^2", "³": "^3", "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
        "…": r"\ldots ", "’": "'", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "％": "%",
        "€": "", "£": "", "¥": "", "₹": "", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "√": r"\sqrt ",
    }
)  # fmt: skip

_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])\s*\.?", ""),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\(?:text(?:bf|it|rm|sf|tt|normal)|math(?:rm|bf|it|sf)|mbox|operatorname)(?=\s*\{)", r"\\text"),
        (r"\\(?:displaystyle|textstyle|limits)(?![a-zA-Z])", ""),
        (r"\\\$|\$", ""),
        (r"(\d)(?:\{,\}|,\\!|\\,|\\!)\s*(?=\d{3}(?!\d))", r"\1"),
        (r"\\[!,;:>]|\\q?quad(?![a-zA-Z])|(?<!\\)\\ |~", " "),
        (r"\^\{?\s*\\(?:circ|degree)\s*\}?|\\degree(?![a-zA-Z])", r"^\\circ"),
        (r"\\(?:ldots|cdots|dots|dotsc|dotsb)(?![a-zA-Z])|\.\.\.+", r"\\ldots "),
        (r"(?<![\d.\\])\.(?=\d+\s*\\ldots)", "0."),
        (r"(?<=\d)(\.\d*?)(\d)\2\2+\s*\\ldots\s*$", r"\1\\overline{\2}"),
        (r"(?<=\d)(\.\d+)\s*\\ldots\s*$", r"\1"),
        (r"\\varnothing(?![a-zA-Z])|\\\{\s*\\\}", r"\\emptyset "),
        (r"\\leq(?![a-zA-Z])", r"\\le"),
        (r"\\geq(?![a-zA-Z])", r"\\ge"),
        (r"\\neq(?![a-zA-Z])", r"\\ne"),
        (r"\\frac\s*(\d|\\pi)\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\sqrt\s*(\d+)(?!\d)", r"\\sqrt{\1}"),
        (r"(?<![\d.}])(\d+)\s+(\d+)\s*/\s*(\d+)$", r"\1\\frac{\2}{\3}"),
        (r"\s+", " "),
        # A blank behind a comma stays before three digits: 7, 120 is a list, and 7,120 may be one number.
        (r"(?<![0-9A-Za-z,]) |(?<=,) (?!\d{3}(?!\d))| (?![0-9A-Za-z])", ""),
    )
)
_REPEATING = re.compile(r"(?<!\d)(\d+)\.(\d*)\\overline\s*\{?(\d+)\}?$")
_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))


_SPACED = re.compile(r"-?\d{1,3}(?: \d{3})+(?:\.\d+)?")
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?")


@functools.lru_cache(maxsize=4096)  # a reference is tidied for each of its problem's responses, and to be screened
def tidy(latex: str) -> str:
    r"""Return one spelling for what is written in many: \dfrac and \frac, \left( and (, 1{,}000 and 1000, 5. and 5."""
    text = latex.strip()
    if _PLAIN.fullmatch(text):
        return text
    text = text.translate(_UNICODE)
    for opening, closing in _WRAPPERS:
        inner = text[len(opening) : -len(closing)]
        if text.startswith(opening) and text.endswith(closing) and opening not in inner and inner:
            text = inner
    text = _without_frame(text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    if _SPACED.fullmatch(text):  # 1 000 000, as it is written in half of the world
        text = text.replace(" ", "")
    text = text.strip().rstrip(".,;:").strip() if not text.endswith("\\.") else text.strip()
    text = re.sub(r"^\\text\s*\{\s*([^{}]*?)[\s.]*\}$", _plain_if_number, text)
    return _REPEATING.sub(_as_fraction, text)


def _without_frame(text: str) -> str:
    r"""Return an answer without a sign of equality before it, a line break behind it, and braces around all of it."""
    text = re.sub(r"^\s*=\s*|(?:\\\\|\\newline)\s*$", "", text).strip()
    is_framed = text.startswith("{") and closing_brace(text, 0) == len(text) - 1
    return text[1:-1].strip() if is_framed and len(text) > 2 else text


def _plain_if_number(match: re.Match[str]) -> str:
    plain = re.fullmatch(r"[-+\d,./%() ]+|[A-Z](?:, ?[A-Z])+", match.group(1))
    return match.group(1) if plain else match.group(0)


def _as_fraction(match: re.Match[str]) -> str:
    r"""0.1\overline{6}: the repeating block over as many nines as it has digits."""
    whole, fixed, block = match.groups()
    denominator = 10 ** len(fixed) * (10 ** len(block) - 1)
    value = int(whole + fixed + block) - int(whole + fixed)
    return rf"\frac{{{value}}}{{{denominator}}}"


class Number(NamedTuple):
    """A plain number, exact.

    Attributes:
        is_decimal: written with a decimal point, so possibly rounded.
    """

    value: Fraction
    is_decimal: bool


_INT = r"\d{1,3}(?:,\d{3})+|\d+"
_NUMBER = re.compile(
    rf"(?P<sign>[-+]?)\s*(?:(?P<mixed>\d+)?\\frac\s*\{{\s*(?P<inner>-?)(?P<top>{_INT})\s*\}}\s*\{{\s*(?P<bottom>{_INT})\s*\}}"
    rf"|(?P<a>{_INT})\s*/\s*(?P<b>{_INT})|(?P<int>{_INT})?(?P<decimals>\.\d+)?)"
)
_MAX_DIGITS = 400  # longer than any reference; int() refuses from 4,300 on


def read_number(text: str) -> Number | None:
    """The number that a tidied text is: integer, decimal, fraction or mixed number. None if it is anything else."""
    match = _NUMBER.fullmatch(text) if len(text) <= _MAX_DIGITS else None
    if match is None:
        return None
    found = {name: (part or "").replace(",", "") for name, part in match.groupdict().items()}
    value = _magnitude(found)
    if value is None:
        return None
    return Number(-value if found["sign"] == "-" else value, bool(found["decimals"]))


def _magnitude(found: dict[str, str]) -> Fraction | None:
    top, bottom = found["top"] or found["a"], found["bottom"] or found["b"]
    if top:
        if int(bottom) == 0 or (found["mixed"] and found["inner"]):
            return None
        fraction = Fraction(int(found["inner"] + top), int(bottom))
        return fraction + int(found["mixed"] or 0)
    if not found["int"] and not found["decimals"]:
        return None
    return Fraction((found["int"] or "0") + found["decimals"])
