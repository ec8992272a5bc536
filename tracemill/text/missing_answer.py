"""Responses that hold no answer to judge: the model refused, said nothing, or is not known to have finished.

Told by what the server says (``finish_reason``, the message's ``refusal``) and by an answer part without a word in it.
A refusal in prose is an answer like any other; section ``quality`` has patterns for those. Reasoning that ends without
an answer because there was no room for more was cut off, which is judged, and counted, as ever.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tracemill.core import Origin, Outcome, Response
from tracemill.core.finish_reasons import Finish, finish_of
from tracemill.text.think import UNCLOSED_THINK

VERSION: Final = "answer@1"  # stands for the verifier: grows whenever any response may be told otherwise
_SHOWN_CHARS: Final = 300


class Missing(NamedTuple):
    """Why there is no answer."""

    outcome: Outcome
    detail: str


def missing_answer(response: Response) -> Missing | None:
    """Return why a response is not to be judged, or None if it is."""
    if response.origin == Origin.REFERENCE:  # a blank one tells whether constraints are known
        return None
    finish, said = finish_of(response.finish_reason), f"finish_reason {response.finish_reason}"
    found: Missing | None = None
    if response.refusal:
        found = Missing(Outcome.REFUSED, f"the model refused: {response.refusal.strip()[:_SHOWN_CHARS]}")
    elif finish is Finish.FILTERED:
        found = Missing(Outcome.REFUSED, f"the answer was withheld: {said}")
    elif finish is Finish.TOOL_CALL:
        found = Missing(Outcome.NO_ANSWER, f"the model called a tool instead of answering: {said}")
    elif finish is not Finish.CUT_OFF and is_blank(response.answer, response.fault):
        found = Missing(Outcome.NO_ANSWER, blank(response.think))
    elif finish is Finish.UNKNOWN and response.origin == Origin.TEACHER:
        found = Missing(Outcome.UNFINISHED, f"the server does not say that the answer is finished: {said}")
    return found


def is_blank(answer: str, fault: str | None) -> bool:
    """Tell whether an answer part has nothing in it, other than because the response ends inside its reasoning."""
    return not answer.strip() and fault != UNCLOSED_THINK


def blank(think: str | None) -> str:
    """Return what to say of an answer part that is blank."""
    return "there is nothing after the think part" if think else "the response is empty"
