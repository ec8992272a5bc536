"""The texts of traces that came with problems, in a table of their own.

A trace is a hundred times as long as its problem, and no stage between collecting and reusing reads it. So the texts
are written once, when a row is collected, and read where they are judged; a problem's ``traces`` name them by content.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tracemill.core.schema import Problem, Row, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TEXT: Final = "text"  # of a problem's trace: the id of its texts
N_CHARS: Final = "n_chars"  # of think and answer together


@dataclass(frozen=True, slots=True)
class TraceText(Row):
    """What one trace says.

    Attributes:
        id: content id, see :func:`text_id`.
        think: reasoning without its tags, or None where the trace has no well-formed think part.
        answer: everything after the think part.
    """

    id: str
    think: Text | None
    answer: Text


def text_id(think: str | None, answer: str) -> str:
    """Return content id of a trace's texts: 32 hex digits of BLAKE2b over think, its length, and answer."""
    encoded = b"" if think is None else think.encode()
    length = -1 if think is None else len(encoded)
    found = hashlib.blake2b(b"%d\n" % length, digest_size=16)
    found.update(encoded)
    found.update(answer.encode())
    return found.hexdigest()


def set_apart(problems: Iterable[Problem]) -> tuple[list[Problem], list[TraceText]]:
    """Return the problems with traces that only name their texts, and each of these texts once, in order."""
    texts: dict[str, TraceText] = {}
    named = [
        replace(problem, traces=[_named(trace, texts) for trace in problem.traces]) if problem.traces else problem
        for problem in problems
    ]
    return named, list(texts.values())


def _named(trace: Mapping[str, Any], texts: dict[str, TraceText]) -> dict[str, Any]:
    think, answer = trace["think"], trace["answer"]
    name = text_id(think, answer)
    texts.setdefault(name, TraceText(name, think, answer))
    left = {key: value for key, value in trace.items() if key not in {"think", "answer"}}
    return {**left, _TEXT: name, N_CHARS: len(think or "") + len(answer)}


def with_texts(problem: Problem, texts: Mapping[str, TraceText]) -> Problem:
    """Return a problem whose traces hold their texts again; those that hold them are left as they are.

    Args:
        problem: as :func:`set_apart` left it.
        texts: by id.

    Raises:
        KeyError: a text is missing.
    """
    if not any(_TEXT in trace for trace in problem.traces):
        return problem
    return replace(problem, traces=[_whole(trace, texts) for trace in problem.traces])


def _whole(trace: Mapping[str, Any], texts: Mapping[str, TraceText]) -> dict[str, Any]:
    if _TEXT not in trace:
        return dict(trace)
    said = texts[trace[_TEXT]]
    left = {key: value for key, value in trace.items() if key not in {_TEXT, N_CHARS}}
    return {**left, "think": said.think, "answer": said.answer}


def n_chars(trace: Mapping[str, Any]) -> int:
    """Return the length of a trace, think and answer, in characters."""
    known = trace.get(N_CHARS)
    return len(trace.get("think") or "") + len(trace.get("answer") or "") if known is None else int(known)
