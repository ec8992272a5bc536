r"""Mathematics: the last \boxed{} of the answer part against the reference answer.

Three steps, cheapest first: references that are no answer; exact comparison of plain numbers and identical text, in
this process; math-verify with a numeric second opinion, in a worker. Step two decides only what step three would
decide in the same way (tested), so it changes the cost and never the verdict.

Lenient on purpose: 50% for 50 or 0.5, a missing unit, x = 5 for 5, (1, 2) for 1, 2, decimals within six places.
Strict on purpose: a different unit, an equation for a value, a list of another length are unverifiable.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracemill.text.think import UNCLOSED_THINK
from verifiers.maths.doubts import why_doubtful
from verifiers.maths.text import last_box, read_number, tidy
from verifiers.maths.words import (
    MAX_CHARS,
    choice_of,
    core,
    currency_of,
    split_choice,
    split_unit,
    why_no_answer,
    without_unit,
    words_of,
    written_alike,
)
from verifiers.protocol import Judgement, Pending, correct, incorrect, too_slow, unjudged, unreadable, unusable
from verifiers.workers.pool import TimedOut, Value

if TYPE_CHECKING:
    from verifiers.protocol import Attempt, Means
    from verifiers.workers.pool import JobResult

NO_ANSWER: Final = "no answer found in the response"
_COMPARE = "verifiers.maths.symbolic:compare"  # by name: its module imports sympy, which only workers should
_SEARCHED_CHARS = 20_000  # of an answer part without a box, in which an answer is looked for; the end counts
_SIX_PLACES = 2e-6  # two decimals further apart than this cannot round to the same six places
_FLOAT_DIGITS = 15  # beyond them math-verify's floats and exact decimals part


class MathVerifier:
    """See the module. Reads the reference answer and the answer part, nothing else."""

    version: Final = "math@4"

    def begin(self, attempt: Attempt, means: Means) -> Judgement | Pending:
        """Decides at once or asks a worker."""
        reference = attempt.reference_answer
        settled = decide(attempt.answer, reference, attempt.fault)
        if settled is not None or reference is None:
            return settled or unusable("the reference is missing")
        box = last_box(attempt.answer)
        content = box.content if box else None
        answer = "" if box else attempt.answer[-_SEARCHED_CHARS:]
        future = means.pool.submit(_COMPARE, reference, content, answer)
        return Pending(future, lambda result: _conclude(result, reference, content))


def judge(answer: str, reference: str | None) -> Judgement:
    """Judges in this very process, without limits: for experiments and tests. Imports sympy.

    Args:
        answer: the answer part of a response.
        reference: the known answer, or None.
    """
    settled = decide(answer, reference)
    if settled is not None or reference is None:
        return settled or unusable("the reference is missing")
    from verifiers.maths.symbolic import compare  # see that module

    box = last_box(answer)
    content = box.content if box else None
    return _conclude(Value(compare(reference, content, answer)), reference, content)


def decide(answer: str, reference: str | None, fault: str | None = None) -> Judgement | None:
    """What can be said without computer algebra, or None."""
    reason = why_no_answer(reference)
    if reason is not None or reference is None:
        return unusable(reason or "the reference is missing")
    if fault == UNCLOSED_THINK:
        return incorrect(None, "the response ends inside its think part")
    box = last_box(answer)
    if box is not None:
        return _decide_box(reference, box.content)
    return None if answer.strip() else incorrect(None, NO_ANSWER)


def _decide_box(reference: str, content: str | None) -> Judgement | None:
    if content is None:
        return incorrect(None, f"{NO_ANSWER}: its last box is never closed")
    if len(content) > MAX_CHARS:
        return unreadable(None, f"the boxed answer is longer than {MAX_CHARS} characters")
    gold, target = tidy(core(reference)), tidy(content)
    if not target:
        return incorrect(content, NO_ANSWER)
    money = currency_of(core(reference)), currency_of(content)
    if None not in money and money[0] != money[1]:
        return unreadable(content, f"the currencies differ: {money[0]} and {money[1]}")
    if gold == target or written_alike(gold) == written_alike(target) != "":
        return correct(content, "the same text")
    return (
        _decide_words(gold, target, content)
        or _decide_choices(gold, target, content)
        or _decide_numbers(gold, target, content, money)
        or _doubt(gold, target, content)
    )


def _doubt(gold: str, target: str, box: str) -> Judgement | None:
    reason = why_doubtful(gold, target)
    return unreadable(box, f"{reason}: {gold} and {target}") if reason else None


def _decide_words(gold: str, target: str, box: str) -> Judgement | None:
    """Words are the same or another word; whether two phrases mean the same is not for this verifier."""
    gold_words, target_words = words_of(gold), words_of(target)
    if gold_words is None:
        return _wrong(gold, target, box) if target_words and read_number(split_unit(gold)[0]) else None
    if gold_words == target_words:
        return correct(box, "the same words")
    if target_words is None or " " in gold_words + target_words:
        return unreadable(box, f"the reference is words, and these are others: {gold} and {target}")
    if sorted(gold_words) == sorted(target_words):
        return unreadable(box, f"the same letters in another order: {gold} and {target}")
    return _wrong(gold, target, box)


def _decide_choices(gold: str, target: str, box: str) -> Judgement | None:
    """``B``, ``(B)`` and ``(B) 5``: where both name a letter, the letters decide."""
    gold_letter, target_letter = (split_choice(text)[0] or choice_of(text) for text in (gold, target))
    if gold_letter is None or target_letter is None:
        return None
    if gold_letter == target_letter:
        return correct(box, "the same letter")
    if split_choice(gold)[1] == split_choice(target)[1]:
        return unreadable(box, f"the same answer under another letter: {gold} and {target}")
    return _wrong(gold, target, box)


def _decide_numbers(gold: str, target: str, box: str, money: tuple[str | None, str | None]) -> Judgement | None:
    (gold, gold_unit), (target, target_unit) = (_split_measure(split_choice(text)[1]) for text in (gold, target))
    gold_unit, target_unit = gold_unit or money[0], target_unit or money[1]
    if gold_unit and target_unit and gold_unit != target_unit:
        return unreadable(box, f"the units differ: {gold} {gold_unit} and {target} {target_unit}")
    target = without_unit(target, gold_unit)
    a, b = (read_number(text) for text in _without_percent(gold, target))
    if a is None or b is None:
        return None
    if not (a.is_decimal or b.is_decimal):
        return correct(box, "the same number") if a.value == b.value else _wrong(gold, target, box)
    if max(sum(char.isdigit() for char in text) for text in (gold, target)) > _FLOAT_DIGITS:
        return None
    if a.value == b.value:
        return correct(box, "the same number")
    return _wrong(gold, target, box) if abs(a.value - b.value) > _SIX_PLACES else None


def _split_measure(text: str) -> tuple[str, str | None]:
    """As ``split_unit``, and a degree sign is a unit."""
    body = text.removesuffix(r"^\circ")
    return (body, "degree") if body != text else split_unit(text)


def _without_percent(gold: str, target: str) -> tuple[str, str]:
    """The percent sign matters only where one side has it, and that is left to math-verify."""
    if all(_PERCENT.search(text) for text in (gold, target)):
        return _PERCENT.sub("", gold), _PERCENT.sub("", target)
    return gold, target


_PERCENT = re.compile(r"\s*\\?%$")


def _wrong(gold: str, target: str, box: str) -> Judgement:
    return incorrect(box, f"expected {gold}, got {target}")


def _conclude(result: JobResult, reference: str, box: str | None) -> Judgement:
    """What the worker's finding, or its end, means."""
    if isinstance(result, TimedOut):
        detail = f"comparing with {reference!r} took more than {result.seconds:g} s"
        return too_slow(box, detail)
    if not isinstance(result, Value):
        return unjudged(box, f"the answer was not judged, the worker crashed: {result.reason}")
    finding: dict[str, Any] = result.value
    extracted = box if box is not None else finding["extracted"]
    kind, note = finding["finding"], finding["note"]
    return {
        "equal": correct(extracted, "equal by computer algebra"),
        "different": incorrect(extracted, f"expected {reference}"),
        "doubtful": unreadable(extracted, note),
        "exhausted": unjudged(extracted, note),
        "unread_reference": unusable(f"the reference cannot be read as mathematics: {note}", extracted),
        "unread_answer": unreadable(extracted, f"the answer cannot be read as mathematics: {note}"),
        "no_answer": incorrect(None, NO_ANSWER),
    }[kind]
