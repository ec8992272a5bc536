"""Filters on the form of a response, apart from whether it is right: one reason, and what shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from tracemill.core import json_text
from tracemill.core.schema import CUT_OFF
from tracemill.quality.phrases import leak_in, refusal_in
from tracemill.text.language.guess import UNDETERMINED
from tracemill.text.think import EMPTY_ANSWER, fault_evidence, split_think

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracemill.core import Response
    from tracemill.quality.measures import TraceMeasures
    from tracemill.recipe.sections.quality import Quality

FAULTS = pa.schema(
    [
        ("response_id", pa.string()),
        ("problem_id", pa.string()),
        ("reason", pa.string()),
        ("evidence", pa.large_string()),  # JSON
    ]
)
_SHOWN_CHARS: Final = 200


class Fault(NamedTuple):
    """Why a response is not fit to be published.

    Attributes:
        reason: in one word, as in the funnel.
        evidence: what shows it, as JSON values.
    """

    reason: str
    evidence: dict[str, Any]


class Examined(NamedTuple):
    """A response with what the rules look at."""

    response: Response
    prompt: str
    measures: TraceMeasures


def fault_of(examined: Examined, rules: Quality) -> Fault | None:
    """Return the first rule that a response breaks, or None."""
    return next((fault for rule in _RULES if (fault := rule(examined, rules)) is not None), None)


def fault_record(response: Response, fault: Fault) -> dict[str, Any]:
    """Return a row of ``FAULTS``."""
    evidence = json_text(fault.evidence)
    return {"response_id": response.id, "problem_id": response.problem_id, "reason": fault.reason, "evidence": evidence}


def published_turn(think: str, answer: str) -> str:
    """Return the assistant's turn in P1's template."""
    return f"<think>{think}</think>\n<answer>{answer}</answer>"


def _truncated(examined: Examined, rules: Quality) -> Fault | None:
    if examined.response.finish_reason != CUT_OFF or rules.allow_truncated:
        return None
    tokens = examined.response.completion_tokens
    return Fault("truncated", {"finish_reason": CUT_OFF, "completion_tokens": tokens})


def _off_template(examined: Examined, rules: Quality) -> Fault | None:
    """Think and answer in balanced tags, with nothing outside of them; and so again once they are published."""
    if not rules.require_think:
        return None
    response = examined.response
    turn = published_turn(response.think or "", response.answer)
    again = split_think(turn)
    fault = response.fault or again.fault
    if fault is None:
        return None
    if response.fault is None:  # seen only in the turn that would be published
        return Fault(fault, {"of": "the published turn", **(fault_evidence(turn, None, fault) or {})})
    text = response.think if response.think is not None else response.answer
    shown = response.fault_evidence or {"ends": response.answer[-_SHOWN_CHARS:]}
    return Fault(fault, {"starts": text[:_SHOWN_CHARS], **shown})


def _without_answer(examined: Examined, _: Quality) -> Fault | None:
    blank = not examined.response.answer.strip()
    return Fault(EMPTY_ANSWER, {"think_words": examined.measures.think_words}) if blank else None


def _other_language(examined: Examined, rules: Quality) -> Fault | None:
    found = examined.measures
    asked, thought, share = found.prompt_language, found.think_language, found.language_share
    shown = {"prompt": asked, "think": thought, "starts": (examined.response.think or "").strip()[:_SHOWN_CHARS]}
    if rules.language == "same" and asked != thought and UNDETERMINED not in {asked, thought}:
        return Fault("other_language", shown)
    if rules.min_language_share is not None and share is not None and share < rules.min_language_share:
        return Fault("mixed_languages", {"share": share, "min": rules.min_language_share, **shown})
    return None


def _repetitive(examined: Examined, rules: Quality) -> Fault | None:
    found, limits = examined.measures, rules.repetition
    if limits.run_tokens is not None and found.run_tokens > limits.run_tokens:
        evidence = {"tokens": found.run_tokens, "period": found.run_period, "text": found.run_text}
        return Fault("consecutive_repetition", evidence)
    if limits.repeated_share is not None and found.repeated_share > limits.repeated_share:
        return Fault("repeated_phrases", {"share": found.repeated_share, "text": found.repeated_text})
    return None


def _bad_length(examined: Examined, rules: Quality) -> Fault | None:
    for name in type(rules.length).model_fields:
        limits, length = getattr(rules.length, name), getattr(examined.measures, name)
        if limits.min is not None and length < limits.min:
            return Fault(f"{name}_too_few", {name: length, "min": limits.min})
        if limits.max is not None and length > limits.max:
            return Fault(f"{name}_too_many", {name: length, "max": limits.max})
    return None


def _leaking(examined: Examined, rules: Quality) -> Fault | None:
    if not rules.leaks:
        return None
    parts = {"think": examined.response.think or "", "answer": examined.response.answer}
    for part, text in parts.items():
        found = leak_in(text, examined.prompt)
        if found is not None:
            return Fault("leaked_reference", {"part": part, **found._asdict()})
    return None


def _refusing(examined: Examined, rules: Quality) -> Fault | None:
    found = refusal_in(examined.response.answer) if rules.refusals else None
    return None if found is None else Fault("refusal", found._asdict())


# In the order in which they are tried: what is wrong with the text as a whole comes before what is in it.
_RULES: Final[tuple[Callable[[Examined, Quality], Fault | None], ...]] = (
    _truncated,
    _off_template,
    _without_answer,
    _other_language,
    _repetitive,
    _bad_length,
    _leaking,
    _refusing,
)
