"""How alike two prompts are, as the demo's sources need to know it: runs of words in common."""

from __future__ import annotations

import re

WORD = re.compile(r"\w+")


def shingles(text: str, width: int) -> frozenset[tuple[str, ...]]:
    """Return all runs of `width` words, lower-cased; a shorter text is one run."""
    words = WORD.findall(text.lower())
    return frozenset(tuple(words[i : i + width]) for i in range(max(1, len(words) - width + 1)))


def jaccard(a: str, b: str, width: int = 5) -> float:
    """Jaccard similarity of two texts' runs of `width` words, from 0 to 1."""
    left, right = shingles(a, width), shingles(b, width)
    return len(left & right) / len(left | right)


def normalised(text: str) -> str:
    """Return the text without regard to case and white space."""
    return " ".join(text.lower().split())
