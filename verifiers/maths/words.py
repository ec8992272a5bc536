"""References and answers as words: which references are no answer at all, units, and words that are the answer."""

from __future__ import annotations

import re

from tracemill.text.boxes import last_box, unboxed
from verifiers.maths.reading.units import UNIT_NAMES, unit_of
from verifiers.maths.text import tidy

# What data sets write where there is no answer (NuminaMath: proof, notfound), and what None and NaN become as text.
_NO_ANSWER = frozenset(
    ["", "proof", "proof.", "notfound", "not found", "no answer", "n/a", "na", "nan", "null", "none", "see solution",
     "unknown", "?", "-", "todo", "omitted", "answer not found"]
)  # fmt: skip
MAX_CHARS = 2_000  # of a reference or a boxed answer; the longest of MATH's 5,000 references has 81
_MAX_WORDS = 5  # none of MATH's 5,000 references has more than 2
_SENTENCE_END = re.compile(r"[a-z)\]$}][.!?]\s+(?=[A-Z\\$])")
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
_WORD = re.compile(r"(?<![\\a-zA-Z])[A-Za-z][a-z']{2,}")
_MATHS = re.compile(r"[\d=<>^_]|\\[a-zA-Z]")
_LEAD_IN = re.compile(
    r"^(?:(?:so|thus|hence|therefore),?\s+)?(?:the\s+)?(?:final\s+)?answer\s*(?:is|:)\s*:?\s*|^####\s*", re.IGNORECASE
)

_TRAILING_TEXT = re.compile(r"\s*\\text\s*\{([^{}]*)\}\s*(?:\^\s*\{?(\d)\}?)?$")
_TRAILING_WORD = re.compile(r"(?<=[\d}])\s*((?:[A-Za-z]{2,}|[a-z]\.[a-z])(?:\s[A-Za-z]+){0,3})\.?(?:\^\{?(\d)\}?)?$")

_CHOICE = re.compile(
    r"(?:\(?\\(?:text|textbf|textrm|mathrm|mathbf)\s*\{\s*\(?([A-H])\)?[.:]?\s*\}\)?|\(([A-H])\))"
    r"(?:[.:~\s]|\\[ ,;:!]|\\q?quad(?![a-zA-Z]))*(.+)",
    re.DOTALL,
)
_SAYS_MORE = frozenset(["is", "are", "was", "not", "no", "never", "wrong", "incorrect", "but"])
_SIGN = re.compile(r"\\\$|[€£¥₹]|^\$(?=[\d.][^$]*$)")  # \$5, and $5 where nothing closes it
_CURRENCIES = {"€": "euro", "£": "pound", "¥": "yen", "₹": "rupee"}
_BESIDE_LETTER = re.compile(r"(?<=[A-Za-z]) +| +(?=[A-Za-z])")
_HALF_OF_DAY = re.compile(r"\b([ap])\.\s?m\b\.?")


def why_missing(reference: str | None) -> str | None:
    """Return why there is no reference answer at all, or None if there is one, be it prose."""
    if reference is None:
        return "the reference is missing"
    text = unboxed(reference).strip()
    return f"the reference is no answer: {reference.strip()!r}" if text.strip(".$ ").lower() in _NO_ANSWER else None


def why_no_answer(reference: str | None) -> str | None:
    """Return why no rule can check anything against this reference, or None if it may be an answer."""
    missing = why_missing(reference)
    if missing is not None or reference is None:
        return missing
    box = last_box(reference)
    if box is not None and box.content is None:
        return "the reference's box is never closed"
    text = unboxed(reference).strip()
    if len(text) > MAX_CHARS:
        return f"the reference is longer than {MAX_CHARS} characters"
    if _SENTENCE_END.search(text):
        return "the reference is several sentences"
    n_words = len(_WORD.findall(_TEXT.sub(r" \1 ", tidy(text))))
    if n_words > _MAX_WORDS:
        return f"the reference is prose of {n_words} words"
    return None


def core(reference: str) -> str:
    r"""Return the answer in a reference: without its ``\boxed{}``, "The answer is", or GSM8K's "####"."""
    return _LEAD_IN.sub("", unboxed(reference).strip())


def split_unit(text: str, told: frozenset[str] = frozenset()) -> tuple[str, str | None]:
    r"""Return a tidied answer and the name of the unit it ends in: ``5\text{ cm}^2``, ``5 cm``, ``18 dollars``.

    A plain word counts only after a digit or brace and from two letters on: 3h is an algebraic product. Words that are
    no unit stay where they are.

    Args:
        text: the answer.
        told: the words of the problem, which name what is counted.
    """
    match = _TRAILING_TEXT.search(text) or _TRAILING_WORD.search(text)
    if match is None:
        return text, None
    unit, body = unit_of(match.group(1), match.group(2), told), text[: match.start()].strip()
    if unit is None or not re.search(r"[\d}\)]$|\\pi$", body):
        return text, None
    return body, unit


def says_more(words: str) -> bool:
    """Tell whether words beside a number are no unit but a statement: 5 is wrong."""
    return bool(_SAYS_MORE & set(words.lower().split()))


def written_alike(text: str) -> str:
    r"""Return a tidied answer without ``\text{}``, spaces beside letters, and the stops of a.m.: July 4, 6:30pm."""
    return _BESIDE_LETTER.sub("", _HALF_OF_DAY.sub(r"\1m", _TEXT.sub(r" \1 ", text))).strip()


def currency_of(text: str) -> str | None:
    """Return the currency whose sign a text bears, before it is tidied, which takes the sign away."""
    sign = _SIGN.search(text.strip())
    return _CURRENCIES.get(sign.group(), "dollar") if sign else None


def without_unit(text: str, unit: str | None) -> str:
    """Return a tidied answer without its unit, or a bare letter that abbreviates ``unit``: 5 m beside metres."""
    body = split_unit(text)[0]
    letter = re.search(r"(?<=[\d}])\s*([a-zA-Z])$", body)
    if unit and letter and UNIT_NAMES.get(letter.group(1).lower()) == unit:
        return body[: letter.start()]
    return body


def words_of(text: str) -> str | None:
    r"""A tidied answer that is words, in lower case: ``\text{Monday}``, ``no solution``. None if it is anything else.

    A bare word needs three letters, as AB or xy is a product.
    """
    bare = _TEXT.sub(r"\1", text)
    folded = " ".join(bare.lower().split()).strip(" .'\"")
    if not re.fullmatch(r"[a-z][a-z' -]*[a-z]", folded) or re.fullmatch(r"[a-z](?:\s?-\s?[a-z])+", folded):
        return None  # a - b is a difference
    return folded if bare != text or len(folded) >= len("yes") or folded == "no" else None


def choice_of(text: str) -> str | None:
    r"""Return the letter of a tidied answer that is a choice: ``A``, ``(A)``, ``\text{(A)}``."""
    match = re.fullmatch(r"\(?([A-Z])\)?", _TEXT.sub(r"\1", text).strip(" ."))
    return match.group(1) if match else None


def split_choice(text: str) -> tuple[str | None, str]:
    r"""Return the letter and the body of ``\text{(B)} 5`` or ``(B) 5``; no letter where there is no such pair."""
    match = _CHOICE.fullmatch(text.strip())
    return (match.group(1) or match.group(2), match.group(3)) if match else (None, text)
