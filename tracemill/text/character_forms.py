"""Characters beyond ASCII in one form: the same text is found whatever its letters, digits and blanks are written with.

Compatibility forms (NFKC): full-width and half-width, mathematical alphabets, ligatures, presentation forms, no-break
blanks. Decimal digits of every script are ASCII's. Marks of no width are left out: zero-width blanks and joiners, soft
hyphens, variation selectors, bidirectional controls, the lengthening and the short vowels of Arabic, Hebrew points.
Quotation marks, hyphens and minus signs are ASCII's.

Where NFKC would change what is meant, it is not asked: 10² is ``10^2``, x₁ is ``x_1``, 3½ is ``3 1/2``, ① and ⓐ, which
stand before items of a list, are ``(1)`` and ``(a)``. Case, accents and white space are as they were: of those the
readers of words decide. Not undone: letters of one script that look like another's, and leetspeak.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from typing import Final, NamedTuple

# Where characters with other forms are; between and behind lie ideographs and private use, which have none.
_SEARCHED: Final = (range(0x80, 0x3400), range(0xA000, 0xAC00), range(0xF900, 0x20000), range(0xE0000, 0xE0200))
_BEYOND: Final = "\U00010000-\U0010ffff"
# Format characters that are seen: signs around Arabic numbers and verses.
_SEEN: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
# What has no width and is no format character: joiners and fillers of letters, variation selectors; tatweel; the vowel
# signs of Arabic but for hamza and madda, which compose; Koranic signs; Hebrew accents and points.
_NO_WIDTH: Final = frozenset(
    map(
        chr,
        itertools.chain(
            (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0),
            range(0xFE00, 0xFE10),
            range(0xE0100, 0xE01F0),
            (0x640, 0x670),
            *(range(0x610, 0x61B), range(0x64B, 0x653), range(0x656, 0x660)),
            *(range(0x6D6, 0x6DD), range(0x6DF, 0x6E9), range(0x6EA, 0x6EE)),
            *(range(0x591, 0x5BE), (0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x5C7)),
        ),
    )
)
_OPERATORS: Final = frozenset("\u2062\u2063\u2064")  # invisible times, separator, plus: between digits they count
_ASCII: Final = {
    "'": "‘’‚‛´ʹʻʼʽ′‵",
    '"': "“”„‟",
    "-": "‐‑‒–−⁃﹣",
    "/": "⁄∕",
    ":": "∶",
    "*": "∗⁎٭",
    "|": "∣",
    ".": "。｡︒٫۔",
    ",": "、､︑﹑،٬",
    ";": "؛",
    "?": "؟",
    "%": "٪",
    "·": "⋅∙‧",
    "°": "º˚",
    "Δ": "∆",
    "''": "″",
    "'''": "‴",
}
# All that most English texts beyond ASCII have, and what ends clauses in Chinese: replaced first, which costs less than
# a search for all forms.
_COMMONEST: Final = tuple(zip("’“”–‘−，。？：（）", "'\"\"-'-,.?:()", strict=True))
_ENCLOSED: Final = (range(0x2460, 0x2500), range(0x2776, 0x2794))
_LABELS: Final = (range(0x1F150, 0x1F16A), range(0x1F170, 0x1F18A))  # 🅐 🅰
# What stands before the parts of a decomposition of these kinds.
_SIGN: Final = {"<super": "^", "<sub": "_", "<fraction": " ", "<circle": ""}


class _Form(NamedTuple):
    """What a character is written as: ``text`` behind ``sign``, which stands once before a run of one sign."""

    sign: str
    text: str


class _Forms(NamedTuple):
    """The characters that have another form, and a pattern of runs of them.

    Attributes:
        alone: what most of them are written as, whatever stands beside them.
    """

    of: dict[str, _Form]
    alone: dict[str, str]
    runs: re.Pattern[str]


def one_form(text: str) -> str:
    """Return the text in the characters that count as the same, composed (NFKC); ASCII text as it is.

    >>> one_form("Ｆｉｎｄ １０² − ३½")
    'Find 10^2 - 3 1/2'
    """
    for sign, form in _COMMONEST:
        if text.isascii():
            return text
        text = text.replace(sign, form)
    return text if text.isascii() else unicodedata.normalize("NFKC", _forms().runs.sub(_written, text))


def without_accents(text: str) -> str:
    """Latin, Greek and Cyrillic letters without what stands above and below them; other scripts as they are.

    Args:
        text: as :func:`one_form` leaves it.
    """
    return text if text.isascii() else _ACCENTED.sub(_bare, text)


# Latin to Cyrillic, and their supplements: in other scripts marks are vowels. Lone combining marks go with them.
_ACCENTED: Final = re.compile("[\u00c0-\u024f\u0300-\u036f\u0386-\u03ce\u0400-\u04ff\u1e00-\u1fff]")


@functools.cache
def _base(character: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFD", character) if not "\u0300" <= part <= "\u036f")


def _bare(found: re.Match[str]) -> str:
    return _base(found.group())


def _written(found: re.Match[str]) -> str:
    """Return a run of special characters as it is written."""
    text, (forms, alone, _) = found.string, _forms()
    if (form := alone.get(found.group())) is not None:
        return form
    before = text[found.start() - 1 : found.start()]  # "" at the beginning, where the slice ends before it begins
    after = text[found.end() : found.end() + 1]
    marks = [forms[character] if character in forms else _Form("", character) for character in found.group()]
    seen = [form for form in marks if form.text]
    if not seen:
        counts = before.isdigit() and after.isdigit() and not _OPERATORS.isdisjoint(found.group())
        return " " if counts else ""
    written = "".join(
        sign + "".join(form.text for form in run) for sign, run in itertools.groupby(seen, key=lambda form: form.sign)
    )
    written = written if written[0] != " " or before.isalnum() else written[1:]
    return f"{written} " if seen[-1].sign == " " and after.isdigit() else written


@functools.cache
def _forms() -> _Forms:
    """Read once a process, from Unicode's own data."""
    forms = {sign: _Form("", form) for form, signs in _ASCII.items() for sign in signs}
    composed: list[str] = []
    for character in map(chr, itertools.chain(*_SEARCHED)):
        if character in forms:
            continue
        form = _form_of(character)
        if form is not None:
            forms[character] = form
        elif unicodedata.decomposition(character):
            composed.append(character)
    for character in composed:  # with points or primes; and all others that NFKC changes, since it is slow by itself
        parts = unicodedata.normalize("NFKC", character)
        if not forms.keys().isdisjoint(parts) or unicodedata.decomposition(character).startswith("<"):
            forms[character] = _Form("", "".join(forms[part].text if part in forms else part for part in parts))
    # One set first, and beyond the first plane one range: that is what re searches fastest.
    members = "".join(re.escape(character) for character in forms if character <= "\uffff") + _BEYOND
    alone = {sign: form.text for sign, form in forms.items() if not form.sign and sign not in _OPERATORS}
    return _Forms(forms, alone, re.compile(f"[{members}][{members}]*"))


def _form_of(character: str) -> _Form | None:
    """Return the form of a character for which NFKC is not enough, or None."""
    category = unicodedata.category(character)
    if character in _NO_WIDTH or (category == "Cf" and character not in _SEEN):
        return _Form("", "")
    if category == "Nd":
        return _Form("", str(unicodedata.decimal(character)))
    if category == "Me":  # 1⃣
        return _Form("", ")")
    tag, _, codes = unicodedata.decomposition(character).partition("> ")
    if codes and tag in _SIGN:
        parts = unicodedata.normalize("NFKC", character).replace("−", "-").replace("⁄", "/")
        return _Form(_SIGN[tag], f"({parts})" if tag == "<circle" else parts)
    if codes and tag == "<square":  # ㎡, ㎨; 🄰
        parts = "".join(map(_unit_part, codes.split()))
        return _Form("", parts if len(parts) > 1 else f"({parts})")
    return _label_of(ord(character)) if category in ("No", "So") and not tag else None


def _label_of(code: int) -> _Form | None:
    """❶ and 🅐, which have no decomposition."""
    if any(code in enclosed for enclosed in _ENCLOSED):
        value = unicodedata.numeric(chr(code), None)
        return None if value is None else _Form("", f"({value:.0f})")
    return _Form("", f"({unicodedata.name(chr(code))[-1]})") if any(code in labels for labels in _LABELS) else None


def _unit_part(code: str) -> str:
    """Return a character of a square unit by its code point: NFKC makes the exponents plain digits."""
    character = chr(int(code, 16))
    form = unicodedata.normalize("NFKC", character).replace("∕", "/")
    return f"^{form}" if character in "²³" else form
