"""Section ``deduplicate`` of the recipe: what makes two prompts one."""

from __future__ import annotations

from pydantic import Field

from tracemill.recipe_section import Fraction, Positive, Section
from tracemill.recipe_semantic import Semantic


class Signature(Section):
    """MinHash signatures; another threshold needs no new ones."""

    ngram: Positive = Field(default=5, description="Words per shingle.")
    num_perm: Positive = Field(default=128, description="MinHash permutations; 128 is datasketch's default.")
    seed: int = Field(default=1, description="Of the permutations.")


class Deduplicate(Section):
    """Exact and MinHash near-duplicates over the whole batch, and by meaning what is left of it."""

    signature: Signature = Signature()
    threshold: Fraction = Field(default=0.8, description="Estimated Jaccard from which two prompts are one.")
    same_numbers: bool = Field(
        default=True,
        description="Merge maths prompts only if their numbers and operators agree: problems differ by them. "
        "By meaning, prompts of any category.",
    )
    semantic: Semantic | None = Field(
        default=None, description="Merge also what a model finds alike, of what is left; off unless given."
    )

    def by_words(self) -> Deduplicate:
        """Without the part that needs a model."""
        return self.model_copy(update={"semantic": None})
