"""docs/recipe-reference.md: made from the recipe's sections, complete, and no part of any digest."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from tests.support.needs import ROOT
from tracemill.cli.recipe_reference import Place, _default, _type, described, places, reference
from tracemill.core import Section

PLACES = list(places())


def test_the_reference_is_what_the_code_says() -> None:
    """The page in docs/ is the one that `make docs` writes."""
    written = (ROOT / "docs" / "recipe-reference.md").read_text(encoding="utf-8")
    assert written == reference(), "docs/recipe-reference.md is stale: run `make docs`"


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.path or "recipe")
def test_every_key_is_described(place: Place) -> None:
    """No section without a first line, no key without a description."""
    assert place.section.__doc__
    assert [name for name, field in place.section.model_fields.items() if not described(field)] == []


def test_sections_are_found_wherever_they_stand() -> None:
    """Alone, optional, in lists, and in one another."""
    paths = [place.path for place in PLACES]
    assert len(paths) == len(set(paths))
    assert {"sources[]", "distill.teacher", "distill.cost", "deduplicate.semantic", "label.labellers[]"} <= set(paths)
    assert {"reward.attributes[]", "safety.guard", "decontaminate.benchmarks[]", "run"} <= set(paths)


class Described(Section):
    """One of each."""

    share: Annotated[float, Field(gt=0, le=1)] = Field(default=0.5, description="Words.")
    most: Annotated[int, Field(ge=2)] | None = None
    kinds: tuple[Literal["a", "b"], ...] = Field(default=("a",), min_length=1)


class Renamed(Section):
    """Another."""

    share: Annotated[float, Field(gt=0, le=1)] = Field(default=0.5, description="Other words.")


def test_types_bounds_and_defaults_are_told() -> None:
    """What pydantic checks stands there in words, also inside an optional type."""
    told = {name: (_type(field), _default(field)) for name, field in Described.model_fields.items()}
    assert told == {
        "share": ("number, > 0, ≤ 1", "`0.5`"),
        "most": ("integer, ≥ 2 or null", "`null`"),
        "kinds": ("list of `a`, `b`, at least 1", '`["a"]`'),
    }


def test_words_are_in_no_digest() -> None:
    """A description that changes recomputes nothing."""
    reworded = type("Renamed", (Section,), {"__annotations__": {"share": float}, "share": 0.5, "__doc__": "Words."})
    assert Renamed().digest() == reworded().digest()
