"""What the parser of mathematics loses before it compares anything: two answers that differ in that alone."""

from __future__ import annotations

import itertools
import re
from typing import Final

from verifiers.maths.text import read_number
from verifiers.maths.words import says_more

_LAST_LETTER: Final = re.compile(r"([-\d.,/]+)\s*[a-zA-Z](?:\^\{?[23]\}?)?")  # 5 m, 5m^2
_HEX: Final = re.compile(r"[0-9A-F]*[A-F][0-9A-F]*_\{?(?:1[1-9]|2\d|3[0-6])\}?")
_LINE: Final = re.compile(r"\\(?:overline|bar|overrightarrow|overleftrightarrow|vec|widehat)\s*\{\s*([A-Z]{2,3})\s*\}")
_BARE: Final = re.compile(r"\\(?:text|mathrm|mathit)\s*\{([^{}]*)\}")
# f', x^{\prime}, A^T. A mark after a number is of feet or minutes.
_MARKS: Final = re.compile(r"(?<=[A-Za-z)}])(?:'+|\^\s*\{?\s*(?:(?:\\prime)+|T|\\top|\\dagger|\*)\s*\}?)")
_POINTS: Final = re.compile(r"[A-Z]{2,}")  # as in \angle ABC
_BETWEEN: Final = re.compile(r"[,;=<>]|\\(?:cup|cap|in|setminus|le|ge)(?![a-zA-Z])|[(\[{]|[)\]}]")
_BELOW: Final = re.compile(r"_\{[^{}]*\}")
_SEVERAL: Final = re.compile(r"=|,(?!\d{3}(?!\d))")
_FUNCTION: Final = re.compile(r"\\(?:gcd|max|min)|[A-Zf-h]\(")
_TEXT: Final = re.compile(r"\\text\s*\{([^{}]*)\}")
_DATE: Final = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}/\d{1,2}/\d{4}|\d{1,2}[-.]\d{1,2}[-.]\d{4}")
_LOST: Final = re.compile(
    r"(?<![A-Za-z])[fgh]\^\{?-1\}?(?=\()|\\int(?![a-zA-Z])(?!\s*_)|\b0[xXbo][0-9A-Fa-f]+\b"
    r"|\\frac\s*\{\s*d\s*\}\s*\{\s*d[a-z]\s*\}"
)
_CROSSED: Final = re.compile(r"\\(?:vec|mathbf|bm|boldsymbol|hat|overrightarrow)\s*(?:\{[^{}]*\}|\w)\s*\\times")
_CONJUNCTION: Final = re.compile(r",?\s*(?:and|or|,)?\s*")


def why_doubtful(gold: str, target: str) -> str | None:
    """Return why no comparison of two tidied answers would tell the truth, or None."""
    return next((reason for reason, holds in _DOUBTS if holds(gold, target)), None)


def why_lost(gold: str, target: str) -> str | None:
    """Why math-verify would not tell the truth of two tidied answers that our own reader does not know, or None."""
    return next((reason for reason, holds in _LOSSES if holds(gold, target)), None)


def _has_letters_for_digits(gold: str, target: str) -> bool:
    return any(_HEX.fullmatch(_BARE.sub(r"\1", text)) for text in (gold, target))


def _other_line(gold: str, target: str) -> bool:
    r"""``\overline{AB}`` and ``AB``: a segment, its length, or a number of two digits."""
    arrows = [text.replace(r"\overrightarrow", r"\vec") for text in (gold, target)]
    plain = [_LINE.sub(r"\1", text) for text in arrows]
    return plain[0] == plain[1] and arrows[0] != arrows[1]


def _has_ellipsis(gold: str, target: str) -> bool:
    return r"\ldots" in gold + target


def _other_order(gold: str, target: str) -> bool:
    r"""``ABC`` and ``CBA``, which are one product; ``\angle ABC`` and ``\angle ACB``."""
    if gold.isalpha() and target.isalpha() and sorted(gold.lower()) == sorted(target.lower()):
        return True
    points = sorted(_POINTS.findall(gold)), sorted(_POINTS.findall(target))
    return points[0] != points[1] and sorted("".join(points[0])) == sorted("".join(points[1]))


def _other_marks(gold: str, target: str) -> bool:
    return _MARKS.findall(gold) != _MARKS.findall(target)


def _unit_or_factor(gold: str, target: str) -> bool:
    letter = _LAST_LETTER.fullmatch(target)
    return letter is not None and read_number(gold) == read_number(letter.group(1)) is not None


def _other_brackets(gold: str, target: str) -> bool:
    return {gold[0], target[0]} == {"\\", "("} and r"\{" in {gold[:2], target[:2]}


def _has_wrapped_list(gold: str, target: str) -> bool:
    r"""``-(1,2)``, ``\sqrt{1,2}``: of what is around a list nothing is left."""
    return any(_is_wrapped(piece) for text in (gold, target) for piece in _pieces(text))


def _pieces(text: str) -> list[str]:
    """Return what stands between commas, relations and operations on sets, outside of all brackets."""
    text = _BELOW.sub("", _TEXT.sub(",", text)).replace(r"\{", "(").replace(r"\}", ")")
    pieces, depth, start = [], 0, 0
    for match in _BETWEEN.finditer(text if r"\begin" not in text else ""):
        if match.group() in "([{":
            depth += 1
        elif match.group() in ")]}":
            depth -= 1
        elif depth == 0:
            pieces.append(text[start : match.start()].strip())
            start = match.end()
    return [*pieces, text[start:].strip()]


def _is_wrapped(piece: str) -> bool:
    if not _SEVERAL.search(piece) or _FUNCTION.match(piece) or r"\begin" in piece:
        return False
    depths = list(itertools.accumulate((char in "([{") - (char in ")]}") for char in piece))
    return piece[0] not in "([{" or 0 in depths[:-1]


def _has_statement(gold: str, target: str) -> bool:  # noqa: ARG001 - as the others
    return any(says_more(words) for words in _TEXT.findall(target))


def _are_dates(gold: str, target: str) -> bool:
    """Return a date is one, and no subtraction or division."""
    return any(_DATE.fullmatch(text.strip("{} ")) for text in (gold, target))


def _other_notation(gold: str, target: str) -> bool:
    r"""Return of f^{-1}(x), 0x2A and the like nothing is left but letters."""
    return any(_LOST.search(text) for text in (gold, target))


def _other_products(gold: str, target: str) -> bool:
    r"""Return of vectors ``\cdot`` and ``\times`` are two things, and of numbers one."""
    return len(_CROSSED.findall(gold)) != len(_CROSSED.findall(target))


def _has_words(gold: str, target: str) -> bool:
    return any(not _CONJUNCTION.fullmatch(words.strip()) for text in (gold, target) for words in _TEXT.findall(text))


# Before anything is read, and before math-verify is asked about what our own reader does not know.
_DOUBTS: Final = (
    ("a number to another base", _has_letters_for_digits),
    ("a line over letters", _other_line),
    ("an ellipsis cannot be compared", _has_ellipsis),
    ("the same letters in another order", _other_order),
    ("marks that make another thing of a letter", _other_marks),
    ("words that say more than an answer", _has_statement),
    ("dates or codes", _are_dates),
    ("a notation that is no arithmetic", _other_notation),
    ("another product of vectors", _other_products),
)
_LOSSES: Final = (
    ("a letter that may be a unit or a factor", _unit_or_factor),
    ("a set and a tuple or interval", _other_brackets),
    ("something around a list", _has_wrapped_list),
    ("words beside mathematics", _has_words),
)
