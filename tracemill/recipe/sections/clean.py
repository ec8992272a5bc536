"""Section ``clean`` of the recipe: rules on a problem alone, each with the categories that it applies to."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from tracemill.core import Category, Section
from tracemill.core.settings import Fraction, Positive
from tracemill.text.language.codes import Language

Categories = tuple[Category, ...]
Referenced = tuple[Literal[Category.MATH, Category.CHOICE], ...]


def _rule(description: str) -> Categories:
    return Field(default=(), description=description + " Categories; [] is off.")


class Clean(Section):
    """Rules on a problem alone; see docs/cleaning.md for what each takes for what, and how often it errs.

    The papers name rules and no numbers (P1 section 2.2; DD: Unicode ratio, incomplete, URLs, tables; AT: images,
    proofs, multi-part, multiple choice), so the numbers here are ours.
    """

    min_words: Positive = Field(default=3, description="Shorter prompts are dropped as too_short.")
    strip_labels: Categories = _rule('"Question:", "Problem 12.", "(2014 AMC 10)" and a last "Answer:" are cut off.')
    incomplete: Categories = _rule("Dropped: cut off in mid-sentence or mid-formula; nothing is asked (maths).")
    garbled: Categories = _rule("Dropped: lost characters, or too few that text is made of (min_readable).")
    min_readable: Fraction = Field(
        default=0.9,
        description="Share of characters that are no control, private, unassigned or picture characters. "
        "DD's Unicode ratio, not published; ours.",
    )
    languages: tuple[Language, ...] = Field(
        default=(),
        description="Languages to keep, by code (ISO 639-1) or name: [en, zh]. What cannot be told stays; []: all.",
    )
    url: Categories = _rule("Dropped: there is a web address.")
    table: Categories = _rule("Dropped: there is a table.")
    figure: Categories = _rule("Dropped: points to a picture, diagram or table that is not in the text.")
    drawing: Categories = _rule("Dropped: the figure is drawn by code in the prompt ([asy], TikZ).")
    proof: Categories = _rule("Dropped: asks for a proof.")
    multi_part: Categories = _rule("Dropped: several labelled questions at once.")
    multiple_choice: Categories = _rule("Dropped, or rewritten where fill_in says so: lists lettered options.")
    fill_in: bool = Field(
        default=False,
        description="Multiple choice becomes an open question where it can: options are cut off, the right one's text "
        "is the reference (AT). Traces that came along answer the old question and go.",
    )
    unusable_reference: Referenced = Field(
        default=(), description="Dropped: no verifier can check anything against the reference. Categories; [] is off."
    )

    @field_validator("languages")
    @classmethod
    def _each_once(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(languages))
