"""Multiple choice as open questions: the options are cut off, and the right one's text is the reference (AT).

Labels around a question: "Question:", "Problem 12.", "(2014 AMC 10)" before it, "Answer:" after it.

The adapters of the sources strip what their data set puts there; these are the labels that any set may have.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracemill.text.options import Option, lettered_options, speaks_of_options, without_letter_request

if TYPE_CHECKING:
    from collections.abc import Callable

    KeyOf = Callable[[str, dict[str, str]], str | None]

_WORD: Final = r"(?:question|problem|exercise|example|q|prob|ex)"
_NUMBER: Final = r"(?:no\.?\s*|#\s*)?\d{1,4}(?:[.-]\d{1,3})*"
_LEADING: Final = (
    # "Question:", "Problem 12.", "**Example 3**", "Exercise 4 Let"; a number alone needs a capital after it
    re.compile(
        rf"\s*(?:#+\s*)?\**{_WORD}(?:\s*{_NUMBER})?\**\s*[:：.)]\**\s+"
        rf"|\s*(?:#+\s*)?\**{_WORD}\s*{_NUMBER}\**\s+(?=(?-i:[A-Z$\\(]))",
        re.IGNORECASE,
    ),
    # "例1：", "第3题：", "【题目】"
    re.compile(
        r"\s*(?:[【\[]\s*(?:题目|问题|例题|例|习题)\s*\d*\s*[】\]]"
        r"|(?:第\s*\d+\s*题|(?:题目|问题|例题|例|习题)\s*\d*)\s*[:：.．、])\s*"
    ),
    # "12. Find", "7、已知": what was a list once; not "1.5 litres"
    re.compile(r"\s*\d{1,3}\s*[.．、)）]\s*(?=[A-Z$\\(（]|[\u4e00-\u9fff])"),
    # "(2014 AMC 10A)", "（2009•福州）", "(15 points)", "（本题满分12分）"
    re.compile(
        r"\s*[(（【\[]\s*(?:(?:19|20)\d\d(?=[^)）】\]\d]*[A-Za-z\u4e00-\u9fff])[^)）】\]$=+*/^\\]{1,50}"
        r"|(?:本(?:小)?题)?(?:满分)?\s*\d+\s*(?:points?|pts?|marks?|分))\.?\s*[)）】\]]\.?\s*"
    ),
)
_TRAILING: Final = re.compile(
    r"(?:\n|(?<=[.?!。？）)$]))\s*\**(?:answer|solution|final answer|a|答案?|解)\s*\**[:：]\s*\**\s*\Z", re.IGNORECASE
)
_SEVERAL: Final = re.compile(
    r"(?:^|\n|[.?!]\s)\s*\**(?:q|question|problem)\s*\d*\s*[:：]|\b(?:answer|a)\s*[:：]\s*\S", re.IGNORECASE
)
_LISTED: Final = re.compile(r"(?:^|\s)(\d{1,3})\s*[.．、)）]\s")


def without_labels(prompt: str) -> tuple[str, list[str]]:
    """Return a prompt without the labels around its question, and those; unchanged where it holds several questions."""
    removed: list[str] = []
    text = prompt
    while (match := _leading(text)) is not None and match.end() < len(text.rstrip()):
        removed.append(match.group().strip())
        text = text[match.end() :]
    end = _TRAILING.search(text) if text.rstrip(" \n*_").endswith((":", "：")) else None
    if end is not None and text[: end.start()].strip():
        removed.append(end.group().strip())
        text = text[: end.start()].rstrip()
    if not removed or len(_SEVERAL.findall(prompt)) > 1 or _is_list(prompt):
        return prompt, []
    return text, removed


def _leading(text: str) -> re.Match[str] | None:
    for pattern in _LEADING:
        match = pattern.match(text)
        if match is not None:
            return match
    return None


def _is_list(prompt: str) -> bool:
    """Tell whether the number at the beginning is followed by the next one: "1. … 2. …"."""
    numbers = [int(number) for number in _LISTED.findall(prompt)]
    return bool(numbers) and numbers[0] + 1 in numbers[1:]


# Options that have no text of their own.
_NO_OWN_TEXT: Final = re.compile(
    r"\b(?:all|none|neither|both|any)\b.*\b(?:above|these|them|and|nor)\b"
    r"|\b(?:above|cannot be (?:determined|found)|not enough|insufficient|more than one|other)\b"
    r"|以上|都|均|无法|不确定|不能确定|其他",
    re.IGNORECASE,
)
_LONGEST_TEXT: Final = 80
# A sentence that an option completes gets a blank, unless it has one.
_UNFINISHED: Final = re.compile(
    r"(?:[:：=]|\b(?:is|are|was|be|equals?|to|of|by|than|about|approximately)|为|是|等于|有)[\s$]*\Z", re.IGNORECASE
)
_BLANK: Final = re.compile(r"[(（][\s\u3000$]*(?:\\q?quad)?[\s\u3000$]*[)）]|_{2,}")
# What typesetting leaves between a question and its options.
_LEFT_OVER: Final = re.compile(
    r"(?:\s|\$\\bullet\$|\*\*|\\\\|\\q?quad|(?:options|choices|选项)\s*[:：])*\Z", re.IGNORECASE
)


class Rewriting(NamedTuple):
    """What becomes of a prompt and its reference.

    Attributes:
        told: what was done, for ``info``.
    """

    prompt: str
    reference: str | None
    told: dict[str, Any]


def filled_in(prompt: str, reference: str | None, key_of: KeyOf) -> Rewriting | str:
    """Return a multiple-choice question as an open one, or why it cannot be one.

    Args:
        prompt: lists lettered options.
        reference: a letter, or the right option's text.
        key_of: the letter that a reference names, or None.
    """
    options = lettered_options(prompt)
    texts = {option.letter: option.text for option in options}
    letter = None if reference is None else key_of(reference, texts)
    if letter is None:
        return "the reference names no option"
    answer = _unwrapped(texts[letter])
    if not answer or len(answer) > _LONGEST_TEXT or any(_NO_OWN_TEXT.search(text) for text in texts.values()):
        return "the options speak of each other, or the right one is long"
    stem = _stem(prompt, options)
    if stem is None:
        return "text follows the options"
    if speaks_of_options(stem):
        return "the question speaks of its options"
    told = {"options": texts, "letter": letter, "former_reference": reference}
    return Rewriting(stem, answer, told)


def _stem(prompt: str, options: list[Option]) -> str | None:
    """Return what stands before the options; None where more than a request for the letter stands after them."""
    tail = without_letter_request(prompt[options[-1].end :]).strip(" \n$")
    if tail:
        return None
    stem = without_letter_request(prompt[: options[0].start])
    stem = _LEFT_OVER.sub("", stem)
    if stem.count("$") % 2 and stem.endswith("$"):
        stem = stem.rstrip("$ ")
    return f"{stem.rstrip(':： ')} ____." if _UNFINISHED.search(stem) and not _BLANK.search(stem) else stem


def _unwrapped(text: str) -> str:
    """Return an option's text as a reference: without the dollars and the last stop."""
    text = text.strip().rstrip(".。;；,，").strip()
    if text.startswith("$") and text.endswith("$") and text.count("$") == 2:
        text = text.strip("$").strip()
    return text
