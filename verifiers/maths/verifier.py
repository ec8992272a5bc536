r"""Mathematics: the last \boxed{} of the answer part against the reference answer.

Three steps, cheapest first: references that are no answer; exact comparison of plain numbers and identical text, in
this process; math-verify with a numeric second opinion, in a worker. Step two decides only what step three would
decide in the same way (tested), so it changes the cost and never the verdict.

Lenient on purpose: 50% for 50 or 0.5, a missing unit, x = 5 for 5, (1, 2) for 1, 2, decimals within six places.
Strict on purpose: a unit of another kind, an equation for a value, a list of another length are unverifiable.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Outcome
from tracemill.text.think import UNCLOSED_THINK
from verifiers.maths.comparing.comparison import compare_texts
from verifiers.maths.comparing.sameness import Found
from verifiers.maths.dates import same_date_or_time
from verifiers.maths.doubts import why_doubtful
from verifiers.maths.reading.reader import read
from verifiers.maths.reading.tokens import NotUnderstood
from verifiers.maths.reading.tree import Call, Node, Num, Quantity
from verifiers.maths.reading.units import may_be_number
from verifiers.maths.statement import NO_ANSWER, Stated, stated
from verifiers.maths.text import read_number, tidy
from verifiers.maths.words import (
    MAX_CHARS,
    choice_of,
    core,
    currency_of,
    split_choice,
    why_no_answer,
    words_of,
    written_alike,
)
from verifiers.protocol import Judgement, Pending, correct, incorrect, too_slow, unjudged, unreadable, unusable
from verifiers.workers.pool import TimedOut, Value

if TYPE_CHECKING:
    from verifiers.protocol import Attempt, VerifierResources
    from verifiers.workers.pool import JobResult

_COMPARE = "verifiers.maths.symbolic:compare"  # by name: its module imports sympy, which only workers should
_WORD: Final = re.compile(r"[a-z]+")
_PHRASE: Final = re.compile(r"^[a-z]{3,}\s*\d")
_FIGURE: Final = re.compile(r"\d+")
_JOINED: Final = re.compile(r"\b(?:and|or)\b", re.IGNORECASE)  # 5 hours and 30 minutes may be any number
_PERCENT: Final = re.compile(r"-?[\d.,]+\s*\\?%")  # whose sign stands behind the box, and changes nothing
_BASED: Final = re.compile(r"(\d+)_\{?(?!10\b)(?:\d+|\\text\{[a-z]+\})\}?")
_SPEAKS_OF_BASE: Final = re.compile(r"\bbases?\b|\bbinary|\bternary|\boctal|\bhexadecimal|\d_\{?\d", re.IGNORECASE)
_PROMPT_CHARS: Final = 20_000  # of a prompt in which counted things are looked for
_PLAIN_CHARS: Final = 60  # of a number that is compared in this process


class MathVerifier:
    """See the module. Reads the reference answer and the answer part, nothing else."""

    version: Final = "math@8"

    def begin(self, attempt: Attempt, resources: VerifierResources) -> Judgement | Pending:
        """Decide at once or asks a worker."""
        reference = attempt.reference_answer
        settled = decide(attempt.answer, reference, attempt.fault, attempt.prompt)
        if settled is not None or reference is None:
            return settled or unusable("the reference is missing")
        found = stated(attempt.answer, core(reference))
        text = found.text or ""
        future = resources.pool.submit(_COMPARE, reference, text, sorted(_told(attempt.prompt, reference, text)))
        return Pending(future, lambda result: _softened(_conclude(result, reference, text), found, reference))


def judge(answer: str, reference: str | None, prompt: str = "") -> Judgement:
    """Judge in this very process, without limits: for experiments and tests. Imports sympy.

    Args:
        answer: the answer part of a response.
        reference: the known answer, or None.
        prompt: the problem, whose words name what is counted.
    """
    settled = decide(answer, reference, prompt=prompt)
    if settled is not None or reference is None:
        return settled or unusable("the reference is missing")
    from verifiers.maths.symbolic import compare  # see that module

    found = stated(answer, core(reference))
    text = found.text or ""
    result = Value(compare(reference, text, _told(prompt, reference, text)))
    return _softened(_conclude(result, reference, text), found, reference)


def _told(prompt: str, reference: str, text: str) -> frozenset[str]:
    """Return the words of the problem that stand in the reference or the answer."""
    beside = frozenset(_WORD.findall(f"{reference} {text}".lower()))
    return beside and beside & frozenset(_WORD.findall(prompt[:_PROMPT_CHARS].lower()))


def decide(answer: str, reference: str | None, fault: str | None = None, prompt: str = "") -> Judgement | None:
    """Return what can be said without computer algebra, or None."""
    reason = why_no_answer(reference)
    if reason is not None or reference is None:
        return unusable(reason or "the reference is missing")
    if fault == UNCLOSED_THINK:
        return incorrect(None, "the response ends inside its think part")
    gold = core(reference)
    found = stated(answer, gold)
    if found.text is None:
        return incorrect(None, found.why or NO_ANSWER) if found.is_missing else unreadable(None, found.why)
    if found.why:
        return _of_open_claim(found, gold)
    judged = _decide_text(gold, found.text, prompt)
    return None if judged is None else _softened(judged, found, reference)


def _of_open_claim(found: Stated, gold: str) -> Judgement:
    """Of an answer that is open: wrong all the same where it names other numbers than the reference, and several."""
    is_plain = read_number(tidy(gold)) is not None and not _JOINED.search(found.text or "")
    if (
        is_plain
        and len(found.others) > 1
        and all(_differ(gold, other) and _is_far(gold, other) for other in found.others)
    ):
        return incorrect(found.text, f"none of the values that are named is {gold}")
    return unreadable(found.text, found.why)


def _is_far(gold: str, other: str) -> bool:
    """Not 5 hours for 5.5."""
    one, two = read_number(tidy(gold)), read_number(tidy(other))
    return one is None or two is None or abs(one.value - two.value) >= 1


def _softened(judged: Judgement, found: Stated, reference: str) -> Judgement:
    """Return a wrong answer is open where a part of what is stated would be right."""
    if judged.outcome != Outcome.INCORRECT:
        return judged
    if found.is_loose and not _PERCENT.fullmatch(found.text or ""):
        return unreadable(found.text, f"what stands beside the box makes another answer of it: {found.text}")
    gold = tidy(core(reference))
    if any(tidy(other) == gold for other in found.others):
        return unreadable(found.text, "one of several boxes")
    return judged


def _decide_text(answer: str, content: str, prompt: str) -> Judgement | None:
    if len(content) > MAX_CHARS:
        return unreadable(None, f"the boxed answer is longer than {MAX_CHARS} characters")
    gold, target = tidy(answer), tidy(content)
    if not target:
        return incorrect(content, NO_ANSWER)
    money = currency_of(answer), currency_of(content)
    if None not in money and money[0] != money[1]:
        return unreadable(content, f"the currencies differ: {money[0]} and {money[1]}")
    if gold == target or written_alike(gold) == written_alike(target) != "":
        return correct(content, "the same text")
    return (
        _decide_words(gold, target, content)
        or _decide_choices(gold, target, content)
        or _decide_dates(gold, target, content)
        or _doubt(gold, target, content)
        or _decide_bases(gold, target, content, prompt)
        or _decide_numbers(answer, content, _told(prompt, answer, content))
        or _decide_phrases(gold, target, content)
    )


def _decide_phrases(gold: str, target: str, box: str) -> Judgement | None:
    """Return the same words with another number are another answer: July 4 and July 5."""
    phrases = [written_alike(side).lower() for side in (gold, target)]
    if any("\\" in phrase or not _PHRASE.search(phrase) for phrase in phrases):
        return None
    words, numbers = ([pattern(phrase) for phrase in phrases] for pattern in (_FIGURE.split, _FIGURE.findall))
    return _wrong(gold, target, box) if words[0] == words[1] and numbers[0] != numbers[1] else None


def _decide_dates(gold: str, target: str, box: str) -> Judgement | None:
    is_same = same_date_or_time(gold, target)
    if is_same is None:
        return None
    return correct(box, "the same date or time") if is_same else _wrong(gold, target, box)


def _doubt(gold: str, target: str, box: str) -> Judgement | None:
    reason = why_doubtful(gold, target)
    return unreadable(box, f"{reason}: {gold} and {target}") if reason else None


def _decide_words(gold: str, target: str, box: str) -> Judgement | None:
    """Return words are the same or another word; whether two phrases mean the same is not for this verifier."""
    gold_words, target_words = words_of(gold), words_of(target)
    if gold_words is None:
        is_other = target_words and not may_be_number(target_words) and not _is_read(target) and _is_figure(gold)
        return _wrong(gold, target, box) if is_other else None
    if gold_words == target_words:
        return correct(box, "the same words")
    if target_words is None and (may_be_number(gold_words) or gold.isalpha()):  # abc may be a product
        return None
    if target_words is None or " " in gold_words + target_words:
        return unreadable(box, f"the reference is words, and these are others: {gold} and {target}")
    if sorted(gold_words) == sorted(target_words):
        return unreadable(box, f"the same letters in another order: {gold} and {target}")
    return _wrong(gold, target, box)


def _is_figure(text: str) -> bool:
    """Tell whether a reference is mathematics with digits, which no word says."""
    return re.search(r"\d", text) is not None and _is_read(text)


def _is_read(text: str) -> bool:
    """Tell whether a text is mathematics to our reader: "arctan x" is no word."""
    try:
        read(text)
    except NotUnderstood:
        return False
    return True


def _decide_choices(gold: str, target: str, box: str) -> Judgement | None:
    """``B``, ``(B)`` and ``(B) 5``: two letters decide, unless the answers contradict them."""
    (gold_letter, gold_body), (target_letter, target_body) = (split_choice(text) for text in (gold, target))
    are_both = gold_letter is not None and target_letter is not None
    gold_letter, target_letter = gold_letter or choice_of(gold), target_letter or choice_of(target)
    if gold_letter is None or target_letter is None:
        return None
    if gold_letter == target_letter:
        if are_both and _differ(gold_body, target_body):
            return unreadable(box, f"another answer under the same letter: {gold} and {target}")
        return correct(box, "the same letter")
    if gold_body == target_body:
        return unreadable(box, f"the same answer under another letter: {gold} and {target}")
    return _wrong(gold, target, box)


def _decide_bases(gold: str, target: str, box: str, prompt: str) -> Judgement | None:
    """101 and 101_2: the same where the problem speaks of a base, as a unit that is left out; else nobody can tell."""
    digits, others = (_BASED.fullmatch(side) for side in (gold, target))
    plain = target if digits else gold
    found = digits or others
    if found is None or (digits and others) or found.group(1) != plain or _SPEAKS_OF_BASE.search(prompt):
        return None
    return unreadable(box, f"a number to another base: {gold} and {target}")


def _differ(gold: str, target: str) -> bool:
    if max(len(gold), len(target)) > _PLAIN_CHARS:
        return False
    try:
        if not all(_is_plain(read(side).node) for side in (gold, target)):  # all else is for workers, with limits
            return False
        finding = compare_texts(gold, target)
    except NotUnderstood:
        return False
    return finding is not None and finding.found == Found.DIFFERENT


def _decide_numbers(gold: str, target: str, told: frozenset[str]) -> Judgement | None:
    """Return what the worker would say of two plain numbers, with or without units."""
    sides = split_choice(gold)[1], split_choice(target)[1]
    if any(len(side) > _PLAIN_CHARS for side in sides):
        return None
    try:
        if not all(_is_plain(read(side, told=told).node) for side in sides):
            return None
        finding = compare_texts(*sides, told)
    except NotUnderstood:
        return None
    if finding is None:
        return None
    if finding.found == Found.UNSURE:
        return unreadable(target, f"{finding.why}: {sides[0]} and {sides[1]}")
    return correct(target, "the same number") if finding.found == Found.EQUAL else _wrong(*sides, target)


def _is_plain(node: Node) -> bool:
    match node:
        case Num():
            return True
        case Quantity(inner, _) | Call("neg" | "percent" | "deg", (inner,)):
            return _is_plain(inner)
        case Call("div", (Num(), Num())):
            return True
        case _:
            return False


def _wrong(gold: str, target: str, box: str) -> Judgement:
    return incorrect(box, f"expected {gold}, got {target}")


def _conclude(result: JobResult, reference: str, text: str) -> Judgement:
    """Return what the worker's finding, or its end, means."""
    if isinstance(result, TimedOut):
        detail = f"comparing with {reference!r} took more than {result.seconds:g} s"
        return too_slow(text, detail)
    if not isinstance(result, Value):
        return unjudged(text, f"the answer was not judged, the worker crashed: {result.reason}")
    finding: dict[str, Any] = result.value
    kind, note = finding["finding"], finding["note"]
    return {
        "equal": correct(text, "equal by computer algebra"),
        "different": incorrect(text, f"expected {reference}"),
        "doubtful": unreadable(text, note),
        "exhausted": unjudged(text, note),
        "unread_reference": unusable(f"the reference cannot be read as mathematics: {note}", text),
        "unread_answer": unreadable(text, f"the answer cannot be read as mathematics: {note}"),
    }[kind]
