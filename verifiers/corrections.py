"""Words by which somebody takes back what was just said: "B. Wait, actually C." Standard library only."""

from __future__ import annotations

from typing import Final

TAKES_BACK: Final = r"(?:sorry|wait|actually|correction|scratch\s+that|hold\s+on|oops|on\s+second\s+thought)"
_HINTS: Final = ("sorry", "wait", "actually", "correction", "scratch", "hold", "oops", "second", "mistake", "error")


def may_take_back(text: str) -> bool:
    """Tell at little cost whether a text can hold one of these, or "my mistake", "I made an error"."""
    folded = text.lower()
    return any(hint in folded for hint in _HINTS)
