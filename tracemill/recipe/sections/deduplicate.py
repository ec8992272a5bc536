"""Section ``deduplicate`` of the recipe: what makes two prompts one.

Section ``deduplicate.semantic`` of the recipe, optional: prompts that say the same in other words are one.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tracemill.core import Section
from tracemill.core.settings import Positive
from tracemill.recipe.sections.server import ModelServer

Similar = Annotated[float, Field(gt=0, le=1)]


class Embedding(ModelServer):
    """A model that turns prompts into vectors, in this process or behind a server; another threshold needs no new ones.

    ``base_urls``, ``api_key`` and the time-outs are those of ``engine: server`` and mean nothing otherwise.
    """

    place: ClassVar[str] = "deduplicate.semantic"
    role: ClassVar[str] = "embedding model"

    model: str = Field(description="Hub id, as in BAAI/bge-m3; with engine server the served name.")
    revision: str = Field(default="", description="Commit of the model's repository: say which weights these are.")
    engine: Literal["sentence-transformers", "server"] = Field(
        default="sentence-transformers",
        description="In this process (`make embeddings` installs it), or an OpenAI-compatible /v1/embeddings.",
    )
    prefix: str = Field(default="", description="Put before every prompt; some models ask for one, as e5's 'query: '.")
    max_tokens: Positive | None = Field(
        default=None, description="Longest prompt in the model's tokens; the model's own limit unless given."
    )
    path: str | None = Field(
        default=None,
        description="Folder with the model's files, instead of the Hub.",
        json_schema_extra={"operational": True},
    )
    batch_rows: Positive = Field(
        default=32, description="Prompts at once, or in one request.", json_schema_extra={"operational": True}
    )
    max_in_flight: Positive = Field(
        default=8, description="Requests at once, over all servers.", json_schema_extra={"operational": True}
    )

    @model_validator(mode="after")
    def _one_engine(self) -> Embedding:
        if self.engine == "server" and self.max_tokens is not None:
            raise ValueError("max_tokens means nothing to engine server: start it with --max-model-len instead")
        if self.engine == "server" and self.path is not None:
            raise ValueError("path means nothing to engine server: leave it out, or the engine")
        return self


class Semantic(Embedding):
    """What is merged of what the model finds alike."""

    threshold: Similar = Field(default=0.95, description="Cosine from which two prompts are one: docs/duplicates.md.")

    def embedding(self) -> Embedding:
        """Return the part that vectors depend on."""
        return Embedding(**{name: getattr(self, name) for name in Embedding.model_fields})


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
