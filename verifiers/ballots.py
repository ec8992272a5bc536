r"""What a response says the answer is where there is no reference to read it by: its ballot in a vote of samples.

A response votes where a reference might be made of what it says: an answer that is finished, stated once and for
certain, and that the verifier of its category would take for a reference. Words alone are no answer of a problem of
mathematics unless they are boxed: without a reference nobody knows whether a sentence is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tracemill.core import Category
from tracemill.core.schema import CUT_OFF
from tracemill.text.boxes import last_box
from tracemill.text.missing_answer import missing_answer
from tracemill.text.think import UNCLOSED_THINK
from verifiers.choice_answer import read_choice
from verifiers.choice_options import options_of
from verifiers.maths.statement import stated
from verifiers.maths.text import tidy
from verifiers.maths.words import core, why_no_answer
from verifiers.protocol import Attempt, Judgement

if TYPE_CHECKING:
    from tracemill.core import Problem, Response

VERSION: Final = "ballot@1"  # grows whenever any response may vote otherwise
# Why a response has no vote.
CUT: Final = "cut off"
MISSING: Final = "no answer"
UNREAD: Final = "not read for certain"
UNFIT: Final = "no reference could be made of it"
_BOXED: Final = r"\boxed{{{}}}"
_A_FIGURE: Final = "0"  # what an answer without a box is read by: it looks for a value


class Ballot(NamedTuple):
    """What one response says.

    Attributes:
        text: the answer, as a reference would state it; None where the response has no vote.
        why: it has none.
    """

    text: str | None
    why: str = ""


def ballot_of(problem: Problem, response: Response) -> Ballot:
    """Return the vote of a response to a problem of category ``math`` or ``choice``."""
    if response.finish_reason == CUT_OFF or response.fault == UNCLOSED_THINK:
        return Ballot(None, CUT)
    if missing_answer(response) is not None:
        return Ballot(None, MISSING)
    if problem.category == Category.CHOICE:
        return _choice(problem.prompt, response.answer)
    return _value(response.answer)


def _choice(prompt: str, answer: str) -> Ballot:
    options = options_of(prompt)
    read = read_choice(answer, options)
    if isinstance(read, Judgement):
        return Ballot(None, MISSING if read.extracted is None else UNREAD)
    letters = sorted(read.named.letters)
    if not letters:
        return Ballot(read.text) if not options and _is_reference(read.text) else Ballot(None, UNFIT)
    return Ballot(", ".join(letters)) if not options or read.named.letters <= options.keys() else Ballot(None, UNFIT)


def _value(answer: str) -> Ballot:
    found = stated(answer, _A_FIGURE)
    if found.text is None:
        return Ballot(None, MISSING if found.is_missing else UNREAD)
    if found.why or found.is_loose:
        return Ballot(None, UNREAD)
    text = found.text.strip()
    return Ballot(text) if _is_reference(text) else Ballot(None, UNFIT)


def _is_reference(text: str) -> bool:
    """Tell whether an answer can be one: its braces are closed, and it is neither empty, nor prose, nor "none"."""
    box = last_box(_BOXED.format(text))
    return box is not None and box.content is not None and bool(tidy(core(text))) and why_no_answer(text) is None


def comparison(problem: Problem, answer: str, reference: str, name: str = "") -> Attempt:
    """Return one answer to a problem as an attempt whose reference is another one.

    Args:
        problem: that both answer.
        answer: as it was read from a response.
        reference: likewise.
        name: of the attempt.
    """
    return Attempt(
        id=name,
        category=problem.category,
        prompt=problem.prompt,
        answer=_BOXED.format(answer),
        reference_answer=reference,
        problem_id=problem.id,
    )
