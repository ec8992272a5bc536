r"""Whether two references of one question say the same: 1/2 and 0.5, B and the text of option B.

Each is judged as an answer against the other, by the verifier of their category; it is enough if one of the two says
``correct``. They contradict each other if neither does and one says ``incorrect``. All else (a phrase in other words, a
unit that differs, no usable reference, a time-out) says nothing.

Where prompts list options, letters stand for the options' texts: in copies with the options in another order, B and D
may be the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracemill.core import Category, Outcome
from verifiers.choice_options import Options, fold, named, options_of
from verifiers.dispatch import verify
from verifiers.maths.text import last_box
from verifiers.maths.words import why_missing
from verifiers.protocol import Attempt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracemill.dedup.conflicting_references import Reference
    from verifiers.dispatch import VerifierSet

_ANSWERED: Final = r"\boxed{{{}}}"


def same_answers(pairs: Sequence[tuple[Reference, Reference]], verifier_set: VerifierSet) -> list[bool | None]:
    """Of each pair whether both say the same, contradict each other, or None where nobody can tell."""
    found = [_by_options(one, other) for one, other in pairs]
    left = [place for place, verdict in enumerate(found) if verdict is None and _are_answers(pairs[place])]
    verdicts = verify((attempt for place in left for attempt in _attempts(*pairs[place])), verifier_set)
    outcomes = [verdict.outcome for verdict in verdicts]
    for number, place in enumerate(left):
        found[place] = _agreed(outcomes[2 * number : 2 * number + 2])
    return found


def _agreed(outcomes: Sequence[str]) -> bool | None:
    if Outcome.CORRECT in outcomes:
        return True
    return False if Outcome.INCORRECT in outcomes else None


def _are_answers(references: Iterable[Reference]) -> bool:
    """Tell whether both can be judged as answers: they are some, and their braces are closed."""
    for reference in references:
        box = last_box(_ANSWERED.format(reference.text))
        if why_missing(reference.text) is not None or box is None or box.content is None:
            return False
    return True


def _by_options(one: Reference, other: Reference) -> bool | None:
    """Return what the options say where both references are letters of a prompt that lists them; else None."""
    of_one, of_other = _chosen(one), _chosen(other)
    if of_one is None or of_other is None:
        return None
    (texts, options), (other_texts, other_options) = of_one, of_other
    if texts == other_texts:
        return True
    are_known = other_texts <= options or texts <= other_options
    return False if are_known else None


def _chosen(reference: Reference) -> tuple[frozenset[str], frozenset[str]] | None:
    """The texts of the options that a reference names, and of all options, in one spelling; None if it names none."""
    options = options_of(reference.question)
    letters = _letters(reference, options)
    if not letters:
        return None
    return frozenset(fold(options[letter]) for letter in letters), frozenset(map(fold, options.values()))


def _letters(reference: Reference, options: Options) -> frozenset[str]:
    """Return the options that a reference names; none if it names one that is not there."""
    found = named(reference.text, options) if options else None
    return found.letters if found and found.letters <= options.keys() else frozenset()


def _attempts(one: Reference, other: Reference) -> Iterator[Attempt]:
    """Yield each as an answer to the other. Choices are judged as such where either is one."""
    category = Category.CHOICE if Category.CHOICE in (one.category, other.category) else Category.MATH
    for reference, answer in ((one, other), (other, one)):
        yield Attempt(
            id="",
            category=category,
            prompt=reference.question,
            answer=_ANSWERED.format(_in_words(answer)),
            reference_answer=reference.text if category == Category.CHOICE else _in_words(reference),
        )


def _in_words(reference: Reference) -> str:
    """Return the text of the option that a reference names, or the reference."""
    options = options_of(reference.question)
    letters = _letters(reference, options)
    return options[next(iter(letters))] if len(letters) == 1 else reference.text
