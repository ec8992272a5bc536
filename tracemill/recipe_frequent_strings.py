"""Section ``frequent_strings`` of the recipe, off unless given: strings that the whole corpus says again and again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tracemill.recipe_section import Fraction, Mebibytes, Phrase, Section


class FrequentStrings(Section):
    """Responses that hold a string which is too frequent are dropped: see tracemill/frequent_strings.py."""

    tokens: Phrase = Field(default=20, description="Length of a string (DD section 2.5).")
    times: Annotated[int, Field(gt=0, lt=255)] = Field(
        default=20, description="A string that was seen more often is frequent (DD section 2.5)."
    )
    covered: Fraction = Field(
        default=0.0, description="Up to this share of a response's tokens may stand in frequent strings; DD: none."
    )
    sketch_mib: Mebibytes = Field(
        default=1024,
        description="Most memory of the sketch, in MiB: enough for 1.4M responses of 4,000 tokens.",
        json_schema_extra={"operational": True},
    )
