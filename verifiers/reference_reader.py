"""What cleaning asks about references before anything is spent on them: can they be used, which option do they name?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracemill.core import Category
from verifiers.choice_options import Options, named, options_of
from verifiers.maths.words import why_missing, why_no_answer

if TYPE_CHECKING:
    from collections.abc import Mapping


class VerifiersReader:
    """Says of maths and choices what their verifiers would find out after the teacher was paid."""

    def why_unusable(self, category: str, prompt: str, reference: str | None) -> str | None:
        """Return why nothing can be checked against a reference, or None if something may be."""
        if category == Category.CHOICE:
            return why_missing(reference) or _why_no_choice(prompt, reference or "")
        return why_no_answer(reference)

    def letter(self, reference: str, options: Mapping[str, str]) -> str | None:
        """Return the letter of the option that a reference names, by letter or text; None if none, or several."""
        found = named(reference, Options(options))
        if found is None or len(found.letters) != 1:
            return None
        letter = next(iter(found.letters))
        return letter if letter in options else None


def _why_no_choice(prompt: str, reference: str) -> str | None:
    """Return the same as :class:`verifiers.choice_answer.ChoiceVerifier` says of a reference."""
    options = options_of(prompt)
    gold = named(reference, options)
    if gold is None:
        return "the reference is neither a letter nor an option nor short"
    if gold.letters and options and not gold.letters <= options.keys():
        return f"the prompt has no option {', '.join(sorted(gold.letters - options.keys()))}"
    return None
