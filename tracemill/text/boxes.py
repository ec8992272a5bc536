r"""Boxed answers: ``\boxed{…}``, ``\fbox{…}`` and ``\box{…}``, and TeX's argument without braces (``\boxed 5``).

One reader for responses, references and solutions, so that what is an answer in one of them is one in all. Standard
library only: worker processes import it.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

BOX: Final = r"\\(?:boxed|fbox|box)(?![a-zA-Z])"  # not \boxplus, \boxdot, \fboxsep
_OPENING: Final = re.compile(BOX + r"[ \t]*\n?[ \t]*(?P<brace>\s*\{)?")
EMPTY_BOX: Final = re.compile(BOX + r"\s*\{\s*\}")  # a mention ("put it in \boxed{}"), no answer
_BETWEEN_BOXES: Final = re.compile(
    r"(?:[\s,;$.]|\\[,;:!() \[\]]|\\q?quad\b|\b(?:and|or)\b|\\text\s*\{\s*(?:and|or|,)\s*\})*"
)

# An argument without braces ends where its formula does, or at white space behind which no formula goes on.
_BEGINS: Final = re.compile(r"[0-9A-Za-z(\[.+\-−√π∞½¼¾]|\\[a-zA-Z{]")
_TOKEN: Final = re.compile(r"\s+|\\[a-zA-Z]+|\\.|\d+(?:,\d{3}(?!\d))*(?:\.\d+)?|.", re.DOTALL)
_ENDS: Final = re.compile(
    r"\n|\$|\\[)\]\\]|\\(?:end|q?quad)(?![a-zA-Z])|\*\*|[}&\"]|</?[a-z]+>|[\u3000-\u9fff\uff00-\uffef]"
    r"|[.,:;?]+(?=[\s$*)\]}\"]|\\[)\]]|\Z)|!+(?=\s|\Z)"
)
_OPERAND: Final = r"\s*(?:[\d\\(.]|(?![aI]\b)[A-Za-z](?![A-Za-z]))"
_GOES_ON: Final = re.compile(
    rf"[ \t]*(?:(?:[*/^_=<>×·÷]\s*-?|[+\-−]){_OPERAND}"
    r"|\\(?:[dt]?frac|sqrt|times|cdot|pi|div|pm|cup|cap|leq?|geq?)(?![a-zA-Z]))"
)
_WANTS_MORE: Final = re.compile(
    r"(?:\\(?:[dtc]?frac(?:\s*\d|\s*\{[^{}]*\})?|sqrt|left|times|cdot|pm|cup|cap|leq?|geq?)|[*/^_=+\-−×·÷<>])\Z"
)
_COMMAND: Final = re.compile(r"\\(?:text(?:bf|rm)?|math(?:rm|bf))\s*\{[^{}]*\}|\\[a-zA-Z]+")
_PROSE: Final = re.compile(r"[^\W\d_]{3,}|\b(?:as|is|at|it|in|or|on|to|so|by|an|we|if|of)\b")
_MOST_BOXES: Final = 50  # of a text of unclosed ones each would be read to the end
_MOST_CHARS: Final = 400  # of an argument without braces


class Box(NamedTuple):
    """A box's content, or None when its brace is never closed."""

    content: str | None


class FoundBox(NamedTuple):
    """A box where it stands.

    Attributes:
        start: where its command begins.
        end: where the text goes on behind it.
        content: as of :class:`Box`.
    """

    start: int
    end: int
    content: str | None


def boxes_of(text: str) -> list[FoundBox]:
    """The last boxes that are not empty, in order; of nested ones the outermost, with the content of the innermost."""
    found: list[FoundBox] = []
    place = 0
    for match in list(_OPENING.finditer(text))[-_MOST_BOXES:]:
        box, end = _box(text, match)
        if match.start() < place:
            if found and box.content:
                found[-1] = found[-1]._replace(content=box.content)
            elif found and box.content is None:
                found.append(FoundBox(match.start(), len(text), None))
        elif box.content != "":
            found.append(FoundBox(match.start(), end, box.content))
            place = end
    return found


def last_box(text: str) -> Box | None:
    r"""The last box that is not empty, with balanced braces; None when there is none. Of nested ones the innermost.

    An empty one ("put it in \boxed{}") is a mention, not an answer, and so is a bare one before prose ("in \boxed
    form"). An unclosed one is a truncated answer: earlier boxes do not stand in for it.
    """
    return next((box for box in _from_the_last(text) if box.content != ""), None)


def last_boxed(text: str) -> str | None:
    r"""Return the content of the last box of a solution that is closed and not empty, or None."""
    last_ones = itertools.islice(_from_the_last(text), _MOST_BOXES)
    return next((box.content for box in last_ones if box.content), None)


def unboxed(reference: str) -> str:
    r"""Return a reference without its box: ``5`` of ``\boxed{5}``, of ``\boxed 5``, of a solution that ends in one.

    Several boxes with nothing between them but commas are one answer of several parts. Without any box, or where the
    last one is never closed, it is the reference itself; empty boxes alone are no text.
    """
    box = last_box(reference)
    if box is None:
        return EMPTY_BOX.sub("", reference) if "box" in reference else reference
    if box.content is None:
        return reference
    parts = _nothing_but_boxes(reference)
    return ", ".join(parts) if len(parts) > 1 else box.content


def _from_the_last(text: str) -> Iterator[Box]:
    for match in reversed(list(_OPENING.finditer(text))):
        yield _box(text, match)[0]


def _box(text: str, opening: re.Match[str]) -> tuple[Box, int]:
    """Return the box that begins with the command, and where it ends."""
    if opening.group("brace") is None:
        argument = _bare_argument(text, opening.end())
        return Box(argument.strip()), opening.end() + len(argument)
    end = closing_brace(text, opening.end() - 1)
    if end is None:
        return Box(None), len(text)
    return Box(EMPTY_BOX.sub("", text[opening.end() : end]).strip()), end + 1


def _nothing_but_boxes(text: str) -> list[str]:
    """Return the contents of the boxes of a text that is a list of boxes; empty where it is anything else."""
    parts, place = [], 0
    while (match := _OPENING.search(text, place)) is not None:
        box, end = _box(text, match)
        if box.content is None or not _BETWEEN_BOXES.fullmatch(text, place, match.start()):
            return []
        parts += [box.content] if box.content else []
        place = end
    return parts if _BETWEEN_BOXES.fullmatch(text, place) else []


def closing_brace(text: str, start: int) -> int | None:
    r"""Return the place of the brace that closes the one at ``start``, or None; ``\{`` and ``\}`` are text."""
    depth, escaped = 0, False
    for i in range(start, len(text)):
        if escaped:
            escaped = False
        elif text[i] == "\\":
            escaped = True
        elif text[i] == "{":
            depth += 1
        elif text[i] == "}":
            depth -= 1
            if depth == 0:
                return i
    return None


def _bare_argument(text: str, start: int) -> str:
    r"""Return the formula that follows a box without braces; empty where prose or nothing does.

    TeX itself takes one token, of ``\boxed 3/4`` the 3. Nobody means that, and a 3 would be a wrong reading: it is read
    as far as the formula goes.
    """
    if not _BEGINS.match(text, start) or _OPENING.match(text, start):  # a box in the box is read for itself
        return ""
    place, depth = start, 0
    while place < len(text) and (depth or not _ENDS.match(text, place)):
        token = _TOKEN.match(text, place)
        step = _end_of_token(text, token) if token else None
        if step is None or step - start > _MOST_CHARS or text[place:step].count("\n") > 1:
            break
        if text[place].isspace() and not depth and not _is_joined(text, start, place):
            break
        depth += text[place] in "([" or text.startswith(r"\{", place)
        depth -= text[place] in ")]" or text.startswith(r"\}", place)
        if depth < 0:
            break
        place = step
    argument = text[start:place]
    return "" if depth > 0 or _PROSE.search(_COMMAND.sub(" ", argument)) else argument


def _end_of_token(text: str, token: re.Match[str]) -> int | None:
    """A group in braces is one token; None where it is never closed, or where a brace closes that was not opened."""
    if token.group() == "{":
        end = closing_brace(text, token.start())
        return None if end is None else end + 1
    return None if token.group() == "}" else token.end()


def _is_joined(text: str, start: int, place: int) -> bool:
    """Tell whether white space stands within a formula: before an operation, or before what an operation is done to."""
    return _GOES_ON.match(text, place) is not None or _WANTS_MORE.search(text, start, place) is not None
