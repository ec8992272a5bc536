"""Section ``deduplicate`` of the recipe: what makes two prompts one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tracemill.recipe_section import Positive, Section
from tracemill.recipe_semantic import Semantic, Similar

Conflict = Literal["drop", "majority", "keep_first"]


class Signature(Section):
    """MinHash signatures; another threshold needs no new ones."""

    ngram: Positive = Field(default=5, description="Words per shingle.")
    # Bands for 1,024 values are found in 1.5 s, for 4,096 in 9 s.
    num_perm: Annotated[int, Field(gt=0, le=1024)] = Field(
        default=128, description="MinHash permutations; 128 is datasketch's default."
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(default=1, description="Of the permutations.")


class Deduplicate(Section):
    """Exact and MinHash near-duplicates over the whole batch, and by meaning what is left of it."""

    signature: Signature = Signature()
    threshold: Similar = Field(
        default=0.8, description="Estimated Jaccard from which two prompts are one; 1: only exact copies are."
    )
    same_numbers: bool = Field(
        default=True,
        description="Merge maths prompts only if their numbers and operators agree: problems differ by them. "
        "By meaning, prompts of any category.",
    )
    conflict: Conflict = Field(
        default="majority",
        description="Duplicates whose references contradict each other: the answer of more than half of them stays, "
        "and where there is none all go; drop: all go; keep_first: the first by priority stays.",
    )
    semantic: Semantic | None = Field(
        default=None, description="Merge also what a model finds alike, of what is left; off unless given."
    )

    def by_words(self) -> Deduplicate:
        """Without the part that needs a model."""
        return self.model_copy(update={"semantic": None})
