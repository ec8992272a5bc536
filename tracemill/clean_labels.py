"""Labels around a question: "Question:", "Problem 12.", "(2014 AMC 10)" before it, "Answer:" after it.

The adapters of the sources strip what their data set puts there; these are the labels that any set may have.
"""

from __future__ import annotations

import re
from typing import Final

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
    """A prompt without the labels around its question, and those; unchanged where it holds several questions."""
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
    """Whether the number at the beginning is followed by the next one: "1. … 2. …"."""
    numbers = [int(number) for number in _LISTED.findall(prompt)]
    return bool(numbers) and numbers[0] + 1 in numbers[1:]
