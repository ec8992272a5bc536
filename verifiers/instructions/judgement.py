"""Judges an answer by its constraints; runs in a worker process, where a hostile text costs one deadline."""

from __future__ import annotations

from typing import Any

from verifiers.instructions.checks import Undecidable
from verifiers.instructions.constraints import CONSTRAINTS


def judge(answer: str, constraints: list[list[Any]], mode: str) -> list[dict[str, Any]]:
    """A finding for each constraint: ``{"id", "holds", "why"}``; holds is None where it cannot be told.

    Args:
        answer: the answer part, not blank.
        constraints: name and arguments of each, all of them usable.
        mode: strict, or loose: it holds of the answer without its first line, its last line, its asterisks, or any
            of these together (IFEval's eight).
    """
    answer = answer.strip()
    texts = [answer] if mode == "strict" else _loosened(answer)
    return [_finding(texts, name, arguments) for name, arguments in constraints]


def _finding(texts: list[str], name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    undecided = ""
    for text in texts:
        if not text.strip():
            continue
        try:
            if CONSTRAINTS[name].check(text, **arguments):
                return {"id": name, "holds": True, "why": ""}
        except Undecidable as error:
            undecided = str(error)
    if undecided:
        return {"id": name, "holds": None, "why": undecided}
    shown = ", ".join(f"{key} {value!r:.60}" for key, value in arguments.items())
    return {"id": name, "holds": False, "why": f"expected {shown}" if shown else ""}


def _loosened(answer: str) -> list[str]:
    lines = answer.split("\n")
    variants = [lines, lines[1:], lines[:-1], lines[1:-1]]
    texts = ["\n".join(variant).strip() for variant in variants]
    texts[0] = answer
    return [*texts, *(text.replace("*", "") for text in texts)]
