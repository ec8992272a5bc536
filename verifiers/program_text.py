"""The program in a response: the last fenced block of the language."""

from __future__ import annotations

import re
from typing import Final

from verifiers.sandbox.languages import LANGUAGES

# An opening fence may be indented or quoted in a list; its info string may go on after the language ("python title=…").
# Possessive throughout: nothing to go back to, or a line of a million tildes would take for ever.
_FENCE: Final = re.compile(r"^[ \t>]*+(`{3,}+|~{3,}+)[ \t]*+([^\s`]*+)[^\n`]*+$", re.MULTILINE)


def program_in(answer: str, language: str, entry_point: str | None = None) -> str | None:
    """The program that an answer gives, or None where it gives none.

    The last block whose fence names the language, or of those the last that defines ``entry_point`` (an example of its
    use often follows); else the last block whose fence names none. A block that is never closed was cut off: it is no
    program. What is in blocks of other languages is not looked at.
    """
    blocks = list(_blocks(answer))
    fences = LANGUAGES[language].fences
    own = [text for name, text in blocks if name in fences]
    candidates = own or [text for name, text in blocks if not name]
    if entry_point:
        name = re.escape(entry_point.rpartition(".")[2])
        defining = [
            text for text in candidates if re.search(rf"(?:\bdef|\bclass)\s+{name}\b|^{name}\s*=", text, re.MULTILINE)
        ]
        candidates = defining or candidates
    return candidates[-1] if candidates else None


def _blocks(answer: str) -> list[tuple[str, str]]:
    """Language, in lower case, and text of every closed block."""
    blocks: list[tuple[str, str]] = []
    opened: tuple[str, str, int] | None = None
    for match in _FENCE.finditer(answer):
        fence, name = match.group(1), match.group(2).lower().strip("{}.")
        if opened is None:
            opened = (fence, name, match.end() + 1)
        elif not name and fence[0] == opened[0][0] and len(fence) >= len(opened[0]):
            blocks.append((opened[1], answer[opened[2] : match.start()]))
            opened = None
    return blocks
