r"""Multiple choice and short answers: letters, option texts, numbers and words against the reference.

The answer is read from the last \boxed{}, else from explicit statements ("The answer is (B)", "答案是B"), else from a
last line that is nothing but an answer. What can be read in two ways is unverifiable: "A or B", two statements that
differ, an option's text that stands under two letters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracemill.text.boxes import EMPTY_BOX
from tracemill.text.think import UNCLOSED_THINK
from verifiers.choice_options import Named, Options, named, options_of
from verifiers.maths.text import last_box
from verifiers.maths.words import why_missing
from verifiers.protocol import Judgement, correct, incorrect, unreadable, unusable

if TYPE_CHECKING:
    from verifiers.protocol import Attempt, Means

NO_ANSWER: Final = "no answer found in the response"
_MAX_CHARS: Final = 20_000  # of an answer part that is searched for statements; the end counts
_STATEMENT: Final = re.compile(
    r"(?<!wrong )(?<!incorrect )(?<!false )\b"
    r"(?:(?:final|correct|right|best)\s+)?(?:answer|option|choice)(?:\s+(?:choice|option))?"
    r"\s*(?:is|are|would\s+be|should\s+be|must\s+be|[:：=])\s*[:：]?\s*(?:option\s+|choice\s+)?(?=(?P<en>[^\n]{1,200}))"
    r"|(?:答案|正确选项|应选|故选|选择?)\s*(?:是|为|[:：])?\s*(?P<zh>[（(]?[A-J](?:[、,，]?[A-J])*[)）]?)",
    re.IGNORECASE,
)
_SENTENCE_END: Final = re.compile(
    r"(?<=[\w)\]*}$\"'])[.。!](?:\s|$)|;\s|,\s+(?:because|since|as|so|which)\b|\s+(?:because|since)\s"
)
_EITHER: Final = re.compile(r"\b[A-J]\)?\s+or\s+\(?[A-J]\b")
_LINES: Final = re.compile(r"\n\s*")


class ChoiceVerifier:
    """See the module. Reads the prompt's options, the reference and the answer part."""

    version: Final = "choice@3"

    def begin(self, attempt: Attempt, means: Means) -> Judgement:  # noqa: ARG002 - the Verifier contract
        """Decides at once."""
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
        return _judge(attempt.answer[-_MAX_CHARS:], gold, options)


def _judge(answer: str, gold: Named, options: Options) -> Judgement:
    statements = _statements(answer)
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
    return _compare(read.pop(), gold, options, extracted)


def _compare(found: Named, gold: Named, options: Options, extracted: str) -> Judgement:
    if bool(found.letters) == bool(gold.letters):
        if found == gold:
            return correct(extracted, "the same letter" if gold.letters else "the same answer")
        return incorrect(extracted, f"expected {_shown([gold])}, got {_shown([found])}")
    if options and found.letters:  # whoever names an option is never understood beside such a reference
        return unusable(f"a letter and a text that is no option: {_shown([gold, found])}", extracted)
    if options:  # a text that is no option's, beside letters: another answer, or another wording of one
        return unreadable(extracted, f"a letter and a text that is no option: {_shown([gold, found])}")
    return unreadable(extracted, f"a letter and a text, and the prompt lists no options: {_shown([gold, found])}")


def _statements(answer: str) -> list[str]:
    """What the answer part says its answer is; several where it says so several times."""
    box = last_box(answer)
    if box is not None:
        return [box.content] if box.content else []
    answer = EMPTY_BOX.sub("", answer)
    stated = [
        _SENTENCE_END.split(match.group("en"))[0].strip() if match.group("en") else match.group("zh")
        for match in _STATEMENT.finditer(answer)
    ]
    if stated:
        return [statement for statement in stated if statement]
    last = _LINES.split(answer.strip())[-1].strip()
    return [last] if last else []


def _shown(found: set[Named] | list[Named]) -> str:
    return " and ".join(sorted("".join(sorted(each.letters)) or repr(each.text) for each in found))
