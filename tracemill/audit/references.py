r"""Do references pass their own verifiers? Model-free: a gold attempt for every row, and what its verdict says.

Gold is ``\boxed{reference}`` for maths and choices, and the row's own solution in a fenced block for code. Constraints
have no gold: an empty answer is judged, which tells whether each of them is known. Other rows have nothing to check.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracemill.audit.rows import with_response, without_response
from tracemill.audit.tally import Counted
from tracemill.core import Category, Cause, Dropped, Origin, Outcome, Problem, Response, digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NO_REFERENCE: Final = "no_reference"
NOTHING_TO_CHECK: Final = "nothing_to_check"
GOOD: Final = "good"
BAD: Final = "bad"
NOT_CHECKED: Final = "not_checked"
_NO_VERIFIER: Final = "none@"  # the version of what stands where no verifier is: it judges nothing, good or bad
_FENCES: Final = re.compile(r"`{3,}")


def gold_attempts(problems: Iterable[Problem]) -> tuple[list[Problem], list[Dropped], list[Response]]:
    """Split rows into those whose reference can be checked and the others, with their reason; and the attempts."""
    kept: list[Problem] = []
    dropped: list[Dropped] = []
    attempts: list[Response] = []
    for problem in problems:
        answer = gold_answer(problem)
        if answer is None:
            reason = NOTHING_TO_CHECK if problem.category == Category.OTHER else NO_REFERENCE
            dropped.append(without_response(problem, reason))
        else:
            attempt = _attempt(problem, answer)
            kept.append(with_response(problem, attempt))
            attempts.append(attempt)
    return kept, dropped, attempts


def gold_answer(problem: Problem) -> str | None:
    """Return the answer that must pass, or None where the row has none."""
    if problem.category in {Category.MATH, Category.CHOICE}:
        return None if problem.reference_answer is None else rf"\boxed{{{problem.reference_answer}}}"
    if problem.category == Category.CODE:
        solution = problem.info.get("reference_solution")
        return _fenced(solution, problem.tests or {}) if isinstance(solution, str) else None
    if problem.category == Category.INSTRUCTION:
        return "" if problem.constraints else None
    return None


def _fenced(program: str, tests: Mapping[str, Any]) -> str:
    """Return the program in a block whose fence is longer than any inside it."""
    longest = max((len(fence) for fence in _FENCES.findall(program)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{tests.get('language') or 'python'}\n{program}\n{fence}"


def _attempt(problem: Problem, answer: str) -> Response:
    return Response(
        id=digest("gold", problem.id, answer),
        problem_id=problem.id,
        origin=Origin.REFERENCE,
        model="reference",
        sample_index=0,
        think=None,
        answer=answer,
        fault=None,
        finish_reason=None,
        prompt_tokens=None,
        completion_tokens=None,
    )


def status_of(row: Mapping[str, Any]) -> str:
    """Tell whether a gold attempt's verdict speaks for its reference or against it.

    Args:
        row: record of an :class:`tracemill.audit.rows.AuditedRow` whose response was a gold attempt.

    A verifier that broke says nothing of either; one that is too slow for a gold answer is so for every other.
    """
    broke = row["outcome"] == Outcome.UNVERIFIABLE and row.get("cause") == Cause.VERIFIER
    if broke or row["outcome"] == Outcome.SANDBOX_ERROR or row["verifier"].startswith(_NO_VERIFIER):
        return NOT_CHECKED
    if row["category"] == Category.INSTRUCTION:
        return GOOD if row["outcome"] in {Outcome.CORRECT, Outcome.INCORRECT} else BAD
    return GOOD if row["outcome"] == Outcome.CORRECT else BAD


CHECKED: Final = Counted(
    statuses=(GOOD, BAD, NOT_CHECKED, NO_REFERENCE, NOTHING_TO_CHECK),
    group="source",
    status_of=status_of,
    share=("share_good", GOOD, BAD),
)
