"""The rule on prompts that ask several labelled questions at once: one reference answers one of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from tracemill.clean_question import Evidence, Question, mentions

if TYPE_CHECKING:
    from tracemill.recipe_clean import Clean

# "(a)", "(ii)" after a blank; "a)", "1)" only where a sentence or line begins, since formulas are full of "1)".
_LABEL: Final = re.compile(
    r"(?:(?<=[\s。；：？])|\A)(?:\*\*|\\textbf\{|\\text\{)?[(（]\s*([a-h]|[ivx]{1,4}|[IVX]{1,3}|[Ⅰ-Ⅴ]|[1-9])\s*[)）](?:\*\*|\})?"
    r"(?=[\s$\\\u4e00-\u9fffA-Z])"
    r"|(?:\A|(?<=[.?!;:。；：？]\s)|^[ \t]*(?:\*\*)?)([a-h]|[1-9])\)(?:\*\*)?\s"
    r"|(?:\A|(?<=\s))(?:\*\*)?Part\s+\(?([A-Ha-h]|[1-9]|I{1,3})\)?[:.]",
    re.MULTILINE,
)
_CIRCLED: Final = re.compile(r"[①②③④⑤]")
_ROMAN: Final = ("i", "ii", "iii", "iv", "v", "vi")
_PART_ASKS: Final = re.compile(
    r"[?？]|\b(?:find|compute|calculate|determine|what|how|evaluate|solve|express|give|write|prove|show|explain|describe"
    r"|estimate|sketch|state|list|which|derive|simplify|draw|plot|name|identify|indicate|define|discuss|compare|suggest"
    r"|differentiate|verify|deduce|justify)\b"
    r"|求|解|证明|计算|写出|判断|讨论|说明|化为|比较|指出|画出|确定|是否|哪|多少|几",
    re.IGNORECASE,
)

_PARAGRAPH: Final = re.compile(r"\n[ \t\r]*\n")
_QUESTION: Final = re.compile(r"[?？]|\b(?:find|compute|determine)\b", re.IGNORECASE)
_SERIES: Final = ("abcdefgh", _ROMAN, "123456789", "ABCDEFGH", ("I", "II", "III"), "ⅠⅡⅢⅣⅤ", "①②③④⑤")
_SHOWN_CHARS: Final = 60


class Part(NamedTuple):
    """A label, where it begins, and the text up to the next one."""

    label: str
    start: int
    text: str


def multi_part(asked: Question, _settings: Clean) -> Evidence | None:
    """Are there labelled parts, (a) (b) or 1) 2), at least two of which ask something?"""
    if not mentions(asked.lower, (")", "）", "part ", "②")):
        return None
    parts = _parts(asked.prompt)
    if not parts or _is_material(parts[-1]):
        return None
    asking = [part for part in parts if _PART_ASKS.search(part.text)]
    if len(asking) < 2:
        return None
    first = asking[0]
    return {"parts": [part.label for part in asking], "text": first.text.strip()[:_SHOWN_CHARS], "at": first.start}


def _is_material(last: Part) -> bool:
    """Whether what is labelled is only material: the question comes after it, in a paragraph of its own."""
    _, *after = _PARAGRAPH.split(last.text, maxsplit=1)
    return bool(after) and _QUESTION.search(after[0]) is not None


def _parts(prompt: str) -> list[Part]:
    """The longest run of labels that begins with the first of its kind: a, i, 1 or ①."""
    marks = [(match, next(filter(None, match.groups()))) for match in _LABEL.finditer(prompt)]
    marks += [(match, match.group()) for match in _CIRCLED.finditer(prompt)]
    run = max((_run(marks, series) for series in _SERIES), key=len)
    ends = [*(match.start() for match, _ in run[1:]), len(prompt)][: len(run)]
    return [
        Part(label, match.start(), prompt[match.end() : end]) for (match, label), end in zip(run, ends, strict=True)
    ]


def _run(marks: list[tuple[re.Match[str], str]], series: str | tuple[str, ...]) -> list[tuple[re.Match[str], str]]:
    found: list[tuple[re.Match[str], str]] = []
    for mark in marks:
        if len(found) < len(series) and mark[1] == series[len(found)]:
            found.append(mark)
    return found
