"""What the rules of cleaning look at, and what they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tracemill.core import Category

if TYPE_CHECKING:
    import re

Evidence = dict[str, Any]
SHOWN_CHARS = 120
JUDGED_BY_REFERENCE = frozenset({Category.MATH, Category.CHOICE})


class Question(NamedTuple):
    """One problem as the rules see it.

    Attributes:
        lower: the prompt in lower case, for tests that are cheaper than a pattern.
    """

    prompt: str
    lower: str
    category: str
    reference: str | None


def question(prompt: str, category: str, reference: str | None) -> Question:
    """Return a question of its columns."""
    return Question(prompt, prompt.lower(), category, reference)


def seen(match: re.Match[str] | None) -> Evidence | None:
    """Return what a pattern found and where, in characters of the prompt."""
    if match is None:
        return None
    return {"text": match.group().strip()[:SHOWN_CHARS], "at": match.start()}


def mentions(text: str, words: tuple[str, ...]) -> bool:
    """Tell whether any of ``words`` stands in ``text``: many times faster than an alternation of them."""
    for word in words:  # noqa: SIM110 - a generator takes twice as long
        if word in text:
            return True
    return False
