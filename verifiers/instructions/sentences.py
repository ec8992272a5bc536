"""Where sentences end, without a trained model: IFEval's counts lie tens apart, and need no better.

Its checker asks nltk's punkt, whose data has to be downloaded. On plain prose the two differ by one in a few texts.
"""

from __future__ import annotations

import re

_ABBREVIATIONS = (
    "mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "vs", "etc", "e.g", "i.e", "cf", "inc", "ltd", "co", "corp",
    "no", "vol", "fig", "al", "approx", "dept", "est", "gen", "gov", "lt", "sgt", "capt", "rev", "hon", "jan",
    "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "a.m", "p.m", "u.s", "u.k",
)  # fmt: skip
_END = re.compile(r"[.!?…]+[\"'”’)\]*_]*(?=\s|$)|[。！？।]+|\n\s*\n")
_CLOSING = "\"'”’)]"
_LAST_WORD = re.compile(r"([A-Za-z][A-Za-z.]*)$")


def count_sentences(text: str) -> int:
    """How many sentences a text has; a heading or list item on a paragraph of its own is one."""
    count, start = 0, 0
    for match in _END.finditer(text):
        if match.group().startswith(".") and _is_abbreviation(text[start : match.start()]):
            continue
        if match.group()[-1] in _CLOSING and text[match.end() :].lstrip()[:1].islower():  # He said "Stop!" and left.
            continue
        count += bool(re.search(r"\w", text[start : match.start()]))
        start = match.end()
    return count + bool(re.search(r"\w", text[start:]))


def _is_abbreviation(before: str) -> bool:
    """Whether a full stop belongs to the word before it: Dr., U.S., an initial, a list number."""
    word = _LAST_WORD.search(before)
    if word is None:
        return bool(re.search(r"(?:^|\n)\s*\d{1,3}$", before))
    found = word.group(1)
    return found.lower() in _ABBREVIATIONS or (len(found) == 1 and found.isupper() and found != "I")
