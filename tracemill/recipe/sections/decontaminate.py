"""Section ``decontaminate`` of the recipe: test sets that nothing may overlap with, and what overlap is."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

from tracemill.core import Section
from tracemill.core.secrets import Secret
from tracemill.core.settings import Fraction, Name, Positive
from tracemill.recipe.known_benchmarks import KNOWN, Known, KnownName
from tracemill.recipe.sections.deduplicate import Embedding, Similar
from tracemill.recipe.sections.server import ChatServer

_DEFAULT: Final = Known(texts=(("problem", "question", "prompt"),))
_PLACE: Final = ("hub", "config", "split", "files")
Percent = Annotated[float, Field(ge=0, le=100)]


class Benchmark(Section):
    """A test set that nothing in the dataset may overlap with: a file, or a Hub dataset.

    ``known: math-500`` says everything but the revision; with ``path`` beside it, how the file is laid out.
    """

    name: Name = Field(description="Of the benchmark in reports and evidence; known, unless given.")
    known: KnownName | None = Field(default=None, description="Name in tracemill/recipe/known_benchmarks.py.")
    path: str | None = Field(
        default=None,
        description="File, relative to data_dir; its content is digested.",
        json_schema_extra={"operational": True},
    )
    hub: str | None = Field(default=None, description="Hub dataset id, instead of path.")
    config: str | None = Field(default=None, description="Hub configuration name.")
    split: str = Field(default="test", description="Split of the Hub dataset.")
    files: str | None = Field(default=None, description="Glob of files in the Hub repository, instead of a split.")
    revision: str | None = Field(default=None, description="Hub commit; a run is refused without it.")
    token: Secret = Field(
        default=None,
        description="Where the Hub's token is, as env:NAME; else as the Hub's client has it (HF_TOKEN, a login).",
        json_schema_extra={"operational": True},
    )
    text: str | None = Field(default=None, description="Column with the question: problem, question or prompt if none.")
    id: str | None = Field(default=None, description="Column with the item's own id; its row where there is none.")

    @model_validator(mode="before")
    @classmethod
    def _from_known(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("known") not in KNOWN:
            return given
        known = KNOWN[given["known"]]
        place = {} if given.get("path") else {field: getattr(known, field) for field in _PLACE}
        return {"name": given["known"]} | place | given

    @model_validator(mode="after")
    def _one_place(self) -> Benchmark:
        if (self.path is None) == (self.hub is None):
            raise ValueError("a benchmark needs exactly one of path and hub, or the name of a known one")
        return self

    @property
    def columns(self) -> Known:
        """Where its texts and ids are; what the recipe says counts before what is known."""
        found = KNOWN[self.known] if self.known else _DEFAULT
        changes = {"texts": ((self.text,),)} if self.text else {}
        return found.model_copy(update=changes | ({"ids": (self.id,)} if self.id else {}))


class Ngrams(Section):
    """Runs of three words of an item that a prompt contains."""

    min_containment: Fraction = Field(
        default=0.6,
        description="Share of an item's runs. Ours, measured: docs/decontamination.md. (Open-R1: one run of 8 words.)",
    )


class Fuzzy(Section):
    """Similarity of whole texts, in per cent (rapidfuzz: partial ratio, token sort ratio)."""

    min_similarity: Percent = Field(default=90, description="Ours, measured; OpenThoughts drops from 95, later 75.")
    min_similarity_numbers: Percent = Field(
        default=75,
        description="The same where prompt and item have the same numbers, two or more above 2.",
    )


class Grey(Section):
    """What is neither dropped nor clearly another question: for the judge, if the recipe names one."""

    min_containment: Fraction = Field(default=0.35, description="Share of an item's runs from which a pair is grey.")
    min_similarity: Percent = Field(default=65, description="Similarity from which a pair is grey.")


class Overlap(Section):
    """What overlap with an item is, by the text alone."""

    ngrams: Ngrams | None = Field(default=Ngrams(), description="null: not used.")
    fuzzy: Fuzzy | None = Field(default=Fuzzy(), description="null: not used.")
    same_numbers: bool = Field(
        default=True,
        description="A prompt with other numbers is another problem. false: such variants are dropped too.",
    )
    grey: Grey = Grey()


class Meaning(Section):
    """What overlap in meaning is, without the model: similarities as in :class:`Embeddings`."""

    min_similarity: Similar
    min_grey: Similar
    same_numbers: bool


class Embeddings(Embedding):
    """Overlap in meaning, by a model: paraphrases and translations."""

    place: ClassVar[str] = "decontaminate.embeddings"

    min_similarity: Similar = Field(
        default=0.9,
        description="Cosine, corrected by the numbers and formulas of both texts "
        "(tracemill/decontaminate/likeness.py); with same_numbers: false "
        "the cosine itself (DD section 2.2: bge-m3, more than 0.9).",
    )
    min_grey: Similar = Field(default=0.8, description="From here on, on the same scale, it is for the judge to say.")

    def embedding(self) -> Embedding:
        """Return the part that vectors depend on; equal to that of deduplicate.semantic, nothing is embedded twice."""
        return Embedding(**{name: getattr(self, name) for name in Embedding.model_fields})


class SameQuestion(ChatServer):
    """A language model that says of grey pairs whether they are one question."""

    place: ClassVar[str] = "decontaminate.judge"
    role: ClassVar[str] = "judge"

    max_tokens: Positive = Field(default=16, description="It says one word; more only for models that reason first.")
    prompt: Literal["same-question@1"] = Field(default="same-question@1", description="Prompt and its version.")
    shown_chars: Positive = Field(default=6000, description="Of a longer question only so many at its end are shown.")


class Decontaminate(Overlap):
    """Overlap with benchmarks."""

    benchmarks: tuple[Benchmark, ...] = Field(default=(), description="The test sets; none: nothing is compared.")
    embeddings: Embeddings | None = Field(default=None, description="Off unless given.")
    judge: SameQuestion | None = Field(default=None, description="Off unless given.")

    @field_validator("benchmarks")
    @classmethod
    def _unique_names(cls, benchmarks: tuple[Benchmark, ...]) -> tuple[Benchmark, ...]:
        names = [benchmark.name for benchmark in benchmarks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"benchmark names must be unique; twice: {', '.join(twice)}")
        return benchmarks

    def overlap(self) -> Overlap:
        """Return what the comparison of texts depends on, without benchmarks and models."""
        return Overlap(**{name: getattr(self, name) for name in Overlap.model_fields})

    def meaning(self) -> Meaning:
        """Return what the comparison of vectors depends on.

        Raises:
            ValueError: the recipe names no model for it.
        """
        if self.embeddings is None:
            raise ValueError("decontaminate.embeddings is not in the recipe")
        cuts = {"min_similarity": self.embeddings.min_similarity, "min_grey": self.embeddings.min_grey}
        return Meaning(**cuts, same_numbers=self.same_numbers)
