"""The think template: how a response is taken apart into reasoning and answer, and what shows that it is broken.

A broken response keeps no think part, so that what was wrong with it must be noted while its whole text is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

NO_THINK: Final = "no_think"
UNCLOSED_THINK: Final = "unclosed_think"
TEXT_BEFORE_THINK: Final = "text_before_think"
NESTED_THINK: Final = "nested_think"
EMPTY_THINK: Final = "empty_think"
EMPTY_ANSWER: Final = "empty_answer"
UNCLOSED_ANSWER: Final = "unclosed_answer"
UNBALANCED_ANSWER: Final = "unbalanced_answer"
TEXT_OUTSIDE_ANSWER: Final = "text_outside_answer"

FAULTS: Final = (
    NO_THINK,
    UNCLOSED_THINK,
    TEXT_BEFORE_THINK,
    NESTED_THINK,
    EMPTY_THINK,
    EMPTY_ANSWER,
    UNCLOSED_ANSWER,
    UNBALANCED_ANSWER,
    TEXT_OUTSIDE_ANSWER,
)


@dataclass(frozen=True, slots=True)
class ThinkSplit:
    """A response taken apart.

    Attributes:
        think: the reasoning, verbatim between its tags (also the newlines next to them, which AM's rows keep), or
            None when there is no think part of one piece.
        answer: what follows; see :func:`split_think`.
        fault: the first rule of the template that is broken, one of ``FAULTS``, or None.
    """

    think: str | None
    answer: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class _Tags:
    think_open: str
    think_close: str
    answer_open: str
    answer_close: str


THINK_OPEN: Final = "<think>"
THINK_CLOSE: Final = "</think>"
_R1 = _Tags(THINK_OPEN, THINK_CLOSE, "<answer>", "</answer>")
# The tags of Bespoke-Stratos-17k and OpenThoughts-114k.
_BESPOKE = _Tags("<|begin_of_thought|>", "<|end_of_thought|>", "<|begin_of_solution|>", "<|end_of_solution|>")
_BESPOKE_THINK = re.compile(r"<\|(?:begin|end)_of_thought\|>")
_BLANK_LINES = re.compile(r"\A(?:[ \t]*\r?\n)+")


def split_think(content: str, reasoning: str | None = None) -> ThinkSplit:
    r"""Take ``<think>T</think>A`` apart.

    Understood are also: a missing opening tag (R1's chat template writes it into the prompt, so that the response
    starts inside the reasoning), AM's ``<think>T</think>\n<answer>A</answer>``, the tags of Bespoke and OpenThoughts,
    and reasoning that the server split off itself.

    White space: T, and A between answer tags, are verbatim. Without answer tags, the blank lines between ``</think>``
    and the answer separate the two and belong to neither; the rest of the answer is verbatim.

    Faults, in order of precedence, with what ``think`` and ``answer`` then are:

    - no_think: there is no think tag. None and the whole text.
    - unclosed_think: all text is inside the reasoning. None and "".
    - nested_think: a second ``<think>`` or ``</think>``. None and what follows the last ``</think>``; "" if a
      ``<think>`` comes after it.
    - text_before_think, empty_think: T and A as if all was well.
    - unclosed_answer: A from its opening tag on. unbalanced_answer (a lone closing tag, tags twice or in the wrong
      order): A with its tags. text_outside_answer: A between the tags. empty_answer: A is blank.

    Args:
        content: the message's content.
        reasoning: ``reasoning`` or ``reasoning_content`` of the message; blank counts as absent.
    """
    if reasoning is not None and reasoning.strip():
        return _split_by_server(content, reasoning)
    tags = _BESPOKE if _BESPOKE_THINK.search(content) and _R1.think_close not in content else _R1
    n_open, n_close = content.count(tags.think_open), content.count(tags.think_close)
    if n_open + n_close == 0:
        return ThinkSplit(None, content, NO_THINK)
    if n_close == 0:
        return ThinkSplit(None, "", UNCLOSED_THINK)
    before, opened, inside = content.partition(tags.think_open)
    if n_close > 1 or n_open > 1 or (opened and tags.think_close in before):
        return ThinkSplit(None, _after_last_think(content, tags), NESTED_THINK)
    think, _, rest = (inside if opened else content).partition(tags.think_close)
    fault = TEXT_BEFORE_THINK if opened and before.strip() else None
    return _joined(think, rest, tags, fault)


def _split_by_server(content: str, reasoning: str) -> ThinkSplit:
    for tags in (_R1, _BESPOKE):
        if tags.think_open in content or tags.think_close in content:
            return ThinkSplit(None, _after_last_think(content, tags), NESTED_THINK)
    return _joined(reasoning, content, _BESPOKE if _BESPOKE.answer_open in content else _R1, None)


def _joined(think: str, rest: str, tags: _Tags, fault: str | None) -> ThinkSplit:
    """Return the split, with the first fault in order of precedence."""
    answer, answer_fault = _split_answer(rest, tags)
    if fault is None and not think.strip():
        fault = EMPTY_THINK
    return ThinkSplit(think, answer, fault or answer_fault)


def _after_last_think(content: str, tags: _Tags) -> str:
    rest = content.rpartition(tags.think_close)[2]
    return "" if tags.think_open in rest else _split_answer(rest, tags)[0]


def _split_answer(rest: str, tags: _Tags) -> tuple[str, str | None]:
    """Return the answer in what follows the reasoning, and its fault."""
    n_open, n_close = rest.count(tags.answer_open), rest.count(tags.answer_close)
    before, _, inside = rest.partition(tags.answer_open)
    if (n_open, n_close) == (0, 0):
        answer = _BLANK_LINES.sub("", rest)
        return (answer, None) if answer.strip() else ("", EMPTY_ANSWER)
    if (n_open, n_close) == (1, 0):
        return inside, UNCLOSED_ANSWER
    if (n_open, n_close) != (1, 1) or tags.answer_close in before:
        return _BLANK_LINES.sub("", rest), UNBALANCED_ANSWER
    answer, _, after = inside.partition(tags.answer_close)
    if before.strip() or after.strip():
        return answer, TEXT_OUTSIDE_ANSWER
    return answer, None if answer.strip() else EMPTY_ANSWER


_TAG: Final = re.compile(r"</?think>|<\|(?:begin|end)_of_thought\|>|</?answer>|<\|(?:begin|end)_of_solution\|>")
_OPENING: Final = frozenset({"<think>", "<|begin_of_thought|>", "<answer>", "<|begin_of_solution|>"})
_OF_THINK: Final = ("think", "thought")
_SHOWN_CHARS: Final = 200


class _FoundTag(NamedTuple):
    text: str
    at: int
    opens: bool
    of_think: bool


def fault_evidence(content: str, reasoning: str | None, fault: str | None) -> dict[str, Any] | None:
    """Return what shows a fault of :func:`split_think`; None where there is none.

    Args:
        content: as it was given to ``split_think``.
        reasoning: likewise.
        fault: what it found.

    Returns:
        ``tag`` (the first that is at fault, where one is), ``at`` (its place in ``content``, in characters, or the
        place of what is at fault), ``around`` (the text there), ``n_tags`` of the same part, and ``ends`` (the end of
        the text).
    """
    if fault is None:
        return None
    tags = [
        _FoundTag(
            found.group(), found.start(), found.group() in _OPENING, any(word in found.group() for word in _OF_THINK)
        )
        for found in _TAG.finditer(content)
    ]
    of_think = fault not in _OF_ANSWER
    same = [tag for tag in tags if tag.of_think == of_think]
    culprit = _culprit(same, fault, is_split=reasoning is not None and bool(reasoning.strip()))
    at = culprit.at if culprit else _text_at_fault(content, tags, fault)
    shown: dict[str, Any] = {"tag": culprit.text, "n_tags": len(same)} if culprit else {}
    begin = max(0, at - _SHOWN_CHARS // 2)
    shown |= {"at": at, "around": content[begin : at + _SHOWN_CHARS // 2], "ends": content[-_SHOWN_CHARS:]}
    return shown


_OF_ANSWER: Final = frozenset({UNCLOSED_ANSWER, UNBALANCED_ANSWER, TEXT_OUTSIDE_ANSWER, EMPTY_ANSWER})
_WHOLE: Final = frozenset({NO_THINK, TEXT_BEFORE_THINK, TEXT_OUTSIDE_ANSWER})  # no tag is wrong


def _culprit(tags: list[_FoundTag], fault: str, *, is_split: bool) -> _FoundTag | None:
    """The first tag that has no place: the template has at most one opening tag and, after it, one closing tag."""
    if fault in _WHOLE or not tags:
        return None
    if fault == NESTED_THINK and is_split:
        return tags[0]  # the reasoning came apart from the content: no tag belongs there
    opened = closed = False
    for tag in tags:
        if closed or (tag.opens and opened):
            return tag
        if not tag.opens and fault == UNBALANCED_ANSWER and not opened:
            return tag
        opened, closed = opened or tag.opens, closed or not tag.opens
    return tags[-1] if fault in {EMPTY_THINK, EMPTY_ANSWER} else tags[0]


def _text_at_fault(content: str, tags: list[_FoundTag], fault: str) -> int:
    """Return where the text stands that is in nobody's place; the beginning where that is all of it."""
    if fault == EMPTY_ANSWER:
        return len(content)
    if fault != TEXT_OUTSIDE_ANSWER:
        return 0
    ends_of_think = [tag.at + len(tag.text) for tag in tags if tag.of_think and not tag.opens]
    after_think = ends_of_think[-1] if ends_of_think else 0
    opening = next((tag for tag in tags if not tag.of_think and tag.opens), None)
    closing = next((tag for tag in tags if not tag.of_think and not tag.opens), None)
    if opening is not None and content[after_think : opening.at].strip():
        return after_think
    return closing.at + len(closing.text) if closing is not None else after_think
