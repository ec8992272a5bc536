r"""Multiple choice and short answers: letters, option texts, numbers and words against the reference.

The answer is read from the last \boxed{}, else from explicit statements ("The answer is (B)", "答案是B"), else from a
last line that is nothing but an answer. What can be read in two ways is unverifiable: "A or B", two statements that
differ, an option's text that stands under two letters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from tracemill.text.boxes import EMPTY_BOX, boxes_of
from tracemill.text.think import UNCLOSED_THINK
from verifiers.choice_options import Named, Options, named, options_of
from verifiers.choice_statements import last_line, said
from verifiers.maths.boxes import boxed
from verifiers.maths.words import why_missing
from verifiers.protocol import Judgement, correct, incorrect, unreadable, unusable

if TYPE_CHECKING:
    from verifiers.protocol import Attempt, VerifierResources

NO_ANSWER: Final = "no answer found in the response"
_MAX_CHARS: Final = 20_000  # of an answer part that is searched for statements; the end counts
_OR_BEHIND: Final = re.compile(r"[\s$*.)}]*(?:,\s*)?(?:or|/)\s*(?:possibly\s+|maybe\s+|perhaps\s+)?[(*]*[A-J](?![\w'])")
_OR_BEFORE: Final = re.compile(r"(?<![\w'])[(*]*[A-J][)*]*\s*,?\s*(?:or|/)\s*[\s$*({\\\[]*$")
_EITHER: Final = re.compile(r"\b[A-J]\)?\s+or\s+\(?[A-J]\b")


class ChoiceVerifier:
    """See the module. Reads the prompt's options, the reference and the answer part."""

    version: Final = "choice@5"

    def begin(self, attempt: Attempt, resources: VerifierResources) -> Judgement:  # noqa: ARG002 - the Verifier contract
        """Decide at once."""
        reference = attempt.reference_answer
        missing = why_missing(reference)
        if missing is not None or reference is None:
            return unusable(missing or "the reference is missing")
        options = options_of(attempt.prompt)
        gold = named(reference, options)
        if gold is None:
            return unusable(f"the reference is neither a letter nor an option nor short: {reference[:120]!r}")
        if gold.letters and options and not gold.letters <= options.keys():
            return unusable(f"the prompt has no option {', '.join(sorted(gold.letters - options.keys()))}")
        if attempt.fault == UNCLOSED_THINK:
            return incorrect(None, "the response ends inside its think part")
        return _judge(attempt.answer, gold, options)


def _judge(answer: str, gold: Named, options: Options) -> Judgement:
    read = read_choice(answer, options)
    return read if isinstance(read, Judgement) else _compare(read.named, gold, options, read.text)


class Choice(NamedTuple):
    """What an answer part says.

    Attributes:
        named: the options, or the short text.
        text: as it stands there.
    """

    named: Named
    text: str


def read_choice(answer: str, options: Options) -> Choice | Judgement:
    """Return what an answer part says, or why it says nothing, whatever the reference is."""
    answer = answer[-_MAX_CHARS:]
    box = boxed(answer)
    if box is not None and box.text is not None:
        why = box.why or _why_one_of_two(answer)
        if why:
            return unreadable(box.text, why)
    statements = _statements(answer, options)
    if not statements:
        return incorrect(None, NO_ANSWER)
    extracted = statements[-1]
    if any(_EITHER.search(statement) for statement in statements):
        return unreadable(extracted, f"the answer names one or the other: {extracted!r}")
    read = {found for statement in statements if (found := named(statement, options)) is not None}
    if not read:
        return unreadable(extracted, f"the answer cannot be read as a choice: {extracted[:120]!r}")
    if len(read) > 1:
        return unreadable(extracted, f"the answer is stated in different ways: {_shown(read)}")
    return Choice(read.pop(), extracted)


def _why_one_of_two(answer: str) -> str:
    """Return why the last box does not decide, where another letter stands beside it, behind or before an "or"."""
    last = boxes_of(answer)[-1:]
    is_one = any(_OR_BEHIND.match(answer[box.end :]) or _OR_BEFORE.search(answer[: box.start]) for box in last)
    return "the answer names another option beside its box" if is_one else ""


def _compare(found: Named, gold: Named, options: Options, extracted: str) -> Judgement:
    if bool(found.letters) == bool(gold.letters):
        if found == gold:
            return correct(extracted, "the same letter" if gold.letters else "the same answer")
        if not gold.letters and set(gold.text.split()) < set(found.text.split()):
            return unreadable(extracted, f"the answer in other words: {_shown([gold, found])}")
        return incorrect(extracted, f"expected {_shown([gold])}, got {_shown([found])}")
    if options and found.letters:  # whoever names an option is never understood beside such a reference
        return unusable(f"a letter and a text that is no option: {_shown([gold, found])}", extracted)
    if options:  # a text that is no option's, beside letters: another answer, or another wording of one
        return unreadable(extracted, f"a letter and a text that is no option: {_shown([gold, found])}")
    return unreadable(extracted, f"a letter and a text, and the prompt lists no options: {_shown([gold, found])}")


def _statements(answer: str, options: Options) -> list[str]:
    """Return what the answer part says its answer is; several where it says so several times."""
    box = boxed(answer)
    if box is None:
        return said(EMPTY_BOX.sub("", answer), options) or last_line(answer, options)
    if box.text is None:
        return []
    told = named(box.text, options)
    behind = said(answer[answer.rfind("box") :], options)
    later = [each for each in behind if (found := named(each, options)) and found.letters]
    if not later:
        return [box.text]
    return later if told is None or not told.letters else [box.text, *later]


def _shown(found: set[Named] | list[Named]) -> str:
    return " and ".join(sorted("".join(sorted(each.letters)) or repr(each.text) for each in found))
