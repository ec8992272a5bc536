"""What shows that a response breaks the think template: the tag at fault, where it stands, and the text around it.

A broken response keeps no think part, so that what was wrong with it must be noted while its whole text is there.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from tracemill import prompts

_TAG: Final = re.compile(r"</?think>|<\|(?:begin|end)_of_thought\|>|</?answer>|<\|(?:begin|end)_of_solution\|>")
_OPENING: Final = frozenset({"<think>", "<|begin_of_thought|>", "<answer>", "<|begin_of_solution|>"})
_OF_THINK: Final = ("think", "thought")
_SHOWN_CHARS: Final = 200


class _Tag(NamedTuple):
    text: str
    at: int
    opens: bool
    of_think: bool


def fault_evidence(content: str, reasoning: str | None, fault: str | None) -> dict[str, Any] | None:
    """What shows a fault of :func:`tracemill.prompts.split_think`; None where there is none.

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
        _Tag(found.group(), found.start(), found.group() in _OPENING, any(word in found.group() for word in _OF_THINK))
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


_OF_ANSWER: Final = frozenset(
    {prompts.UNCLOSED_ANSWER, prompts.UNBALANCED_ANSWER, prompts.TEXT_OUTSIDE_ANSWER, prompts.EMPTY_ANSWER}
)
_WHOLE: Final = frozenset({prompts.NO_THINK, prompts.TEXT_BEFORE_THINK, prompts.TEXT_OUTSIDE_ANSWER})  # no tag is wrong


def _culprit(tags: list[_Tag], fault: str, *, is_split: bool) -> _Tag | None:
    """The first tag that has no place: the template has at most one opening tag and, after it, one closing tag."""
    if fault in _WHOLE or not tags:
        return None
    if fault == prompts.NESTED_THINK and is_split:
        return tags[0]  # the reasoning came apart from the content: no tag belongs there
    opened = closed = False
    for tag in tags:
        if closed or (tag.opens and opened):
            return tag
        if not tag.opens and fault == prompts.UNBALANCED_ANSWER and not opened:
            return tag
        opened, closed = opened or tag.opens, closed or not tag.opens
    return tags[-1] if fault in {prompts.EMPTY_THINK, prompts.EMPTY_ANSWER} else tags[0]


def _text_at_fault(content: str, tags: list[_Tag], fault: str) -> int:
    """Where the text stands that is in nobody's place; the beginning where that is all of it."""
    if fault == prompts.EMPTY_ANSWER:
        return len(content)
    if fault != prompts.TEXT_OUTSIDE_ANSWER:
        return 0
    ends_of_think = [tag.at + len(tag.text) for tag in tags if tag.of_think and not tag.opens]
    after_think = ends_of_think[-1] if ends_of_think else 0
    opening = next((tag for tag in tags if not tag.of_think and tag.opens), None)
    closing = next((tag for tag in tags if not tag.of_think and not tag.opens), None)
    if opening is not None and content[after_think : opening.at].strip():
        return after_think
    return closing.at + len(closing.text) if closing is not None else after_think
