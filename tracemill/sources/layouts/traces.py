"""Traces as sources write them: tags in one text, or reasoning and answer in columns of their own.

Every trace says whose it is. The recipe names the models whose traces may stand for the teacher's
(``distill.reuse_models``, R1 unless it says otherwise): what GPT or Gemini wrote is not R1's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tracemill.core import json_text
from tracemill.text.think import NO_THINK, UNCLOSED_THINK, fault_evidence, split_think

R1: Final = "deepseek-r1"
GEMINI_THINKING: Final = "gemini-2.0-flash-thinking"
UNKNOWN_MODEL: Final = "unknown"
R1_IN_JSON: Final = json_text({"model": R1})[1:-1]  # stands in the column ``traces`` where one of R1's is among them
_PADDED: Final = "<|begin_of_thought|>"  # Bespoke and OpenThoughts put blank lines inside their tags; R1 did not.


def model_named(name: object) -> str:
    """Return a model's name in one spelling: without its organisation, in lower case, Gemini's without its date.

    Only R1's own names give ``R1``: its distillations, R1-Zero and later versions are other models.
    """
    text = "-".join(name.rsplit("/", 1)[-1].lower().split()) if isinstance(name, str) else ""
    if text in {"r1", "deepseek-reasoner"}:
        return R1
    if text.startswith(GEMINI_THINKING):
        return GEMINI_THINKING
    return text or UNKNOWN_MODEL


def worth(traces: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return what a row's traces are worth to it: R1's first, which can save a generation, then those of others."""
    return sum(trace.get("model") == R1 for trace in traces), len(traces)


def tagged_trace(model: str, text: object, **said: object) -> dict[str, Any]:
    """Return a trace in one text, in any of the encodings that :func:`tracemill.text.think.split_think` knows.

    Args:
        model: who wrote it.
        text: with its tags; what is no text is no trace either, and its fault says so.
        said: what else the source says of it (a flag, a label); None is left out.
    """
    whole = text if isinstance(text, str) else ""
    split = split_think(whole)
    think, answer = split.think, split.answer
    if _PADDED in whole:
        think, answer = think.strip("\r\n") if think is not None else None, answer.strip("\r\n")
    return _trace(model, think, answer, split.fault, said | _shown(whole, None, split.fault))


def parted_trace(model: str, think: object, answer: object, **said: object) -> dict[str, Any] | None:
    """A trace whose reasoning has a column of its own, or None where that is blank: an answer alone is no trace."""
    if not isinstance(think, str) or not think.strip():
        return None
    content = answer if isinstance(answer, str) else ""
    split = split_think(content, think)
    return _trace(model, split.think, split.answer, split.fault, said | _shown(content, think, split.fault))


def _shown(content: str, think: str | None, fault: str | None) -> dict[str, object]:
    """Return what shows a fault, unless it is that nothing was taken off the text, or that all of it is reasoning."""
    lost = fault not in {None, NO_THINK, UNCLOSED_THINK}
    return {"fault_evidence": fault_evidence(content, think, fault)} if lost else {}


def _trace(model: str, think: str | None, answer: str, fault: str | None, said: dict[str, object]) -> dict[str, Any]:
    told = {name: value for name, value in said.items() if value is not None}
    return {"model": model, "think": think, "answer": answer, "fault": fault} | told
