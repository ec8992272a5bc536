"""The rules of cleaning, in one table: each asks one question of a problem, and answers with evidence or None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from tracemill.clean import content, form
from tracemill.clean.content import multi_part
from tracemill.core import Category

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracemill.clean.question import Evidence, Question
    from tracemill.recipe.sections.clean import Clean

EVERY: Final = tuple(Category)


class Fault(NamedTuple):
    """Why a row is dropped."""

    reason: str
    evidence: dict[str, Any]


class Rule(NamedTuple):
    """One rule.

    Attributes:
        reason: what its drops are called.
        broken: evidence that a question breaks it, or None.
        categories: those that the recipe applies it to.
    """

    reason: str
    broken: Callable[[Question, Clean], Evidence | None]
    categories: Callable[[Clean], tuple[str, ...]]


# The first broken rule names the reason: cheap and certain ones come first.
RULES: Final = (
    Rule("empty_prompt", form.empty, lambda _: EVERY),
    Rule("too_short", form.too_short, lambda _: EVERY),
    Rule("garbled", form.garbled, lambda clean: clean.garbled),
    Rule("url", content.url, lambda clean: clean.url),
    Rule("table", content.table, lambda clean: clean.table),
    Rule("figure", content.figure, lambda clean: clean.figure),
    Rule("drawing", content.drawing, lambda clean: clean.drawing),
    Rule("proof", content.proof, lambda clean: clean.proof),
    Rule("multi_part", multi_part, lambda clean: clean.multi_part),
    Rule("incomplete", form.incomplete, lambda clean: clean.incomplete),
    Rule("language", form.foreign, lambda clean: EVERY if clean.languages else ()),
)


class ReferenceReader(Protocol):
    """Reads references as the verifiers do; verifiers know what they can judge, and this package does not know them."""

    def why_unusable(self, category: str, prompt: str, reference: str | None) -> str | None:
        """Return why nothing can be checked against a reference, or None if something may be."""

    def letter(self, reference: str, options: Mapping[str, str]) -> str | None:
        """Return the letter of the option that a reference names, by letter or text; None if none, or several."""


class Rules:
    """The rules that a recipe switches on, ready for many questions."""

    def __init__(self, settings: Clean, reader: ReferenceReader) -> None:
        self._settings, self._reader = settings, reader
        self._active: Mapping[str, list[Rule]] = {
            category: [rule for rule in RULES if category in rule.categories(settings)] for category in EVERY
        }

    def fault_of(self, asked: Question) -> Fault | None:
        """Return the first rule that the question breaks, or None."""
        for rule in self._active[asked.category]:
            evidence = rule.broken(asked, self._settings)
            if evidence is not None:
                return Fault(rule.reason, evidence)
        if asked.category in self._settings.unusable_reference:
            why = self._reader.why_unusable(asked.category, asked.prompt, asked.reference)
            return None if why is None else Fault("unusable_reference", {"why": why, "reference": asked.reference})
        return None
