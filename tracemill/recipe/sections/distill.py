"""Section ``distill`` of the recipe: whom to ask, how often, and what becomes of responses that were cut off.

Section ``distill.cost`` of the recipe: an estimate before anything is spent, and whether a person has to agree.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from tracemill.core import Section
from tracemill.core.settings import Positive, Seconds
from tracemill.recipe.sections.money import Purse
from tracemill.recipe.sections.server import OneOfSeveral, Teacher

_HOW: JsonDict = {"operational": True}  # an estimate changes no result
# Sections of the models that are asked about responses.
Asked = Literal["reward", "rubric", "judge", "perplexity", "safety.guard", "safety.classifier"]
_WEEK_S = 7 * 24 * 3600.0


class Cost(Section):
    """What generation will cost, measured on a sample of the requests that the run sends anyway."""

    sample: Positive = Field(
        default=256,
        description="Requests that are answered first to measure tokens and speed; they are part of the run.",
        json_schema_extra=_HOW,
    )
    gpus: Positive | None = Field(
        default=None, description="GPUs behind the teacher's servers.", json_schema_extra=_HOW
    )
    model_gpus: dict[Asked, Positive] = Field(
        default_factory=dict,
        description="GPUs behind the models that judge and filter, by section, as in {judge: 2, safety.guard: 1}.",
        json_schema_extra=_HOW,
    )
    price_per_gpu_hour: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Of one of them; needs gpus.", json_schema_extra=_HOW
    )
    currency: str = Field(default="USD", description="Of the price.", json_schema_extra=_HOW)
    approval: Literal["none", "required"] = Field(
        default="none",
        description="required: the flow run pauses with the estimate until a person resumes it in Prefect's UI.",
        json_schema_extra=_HOW,
    )
    wait_s: Seconds = Field(
        default=_WEEK_S, description="How long the run waits for that person.", json_schema_extra=_HOW
    )

    @model_validator(mode="after")
    def _priced(self) -> Cost:
        if self.price_per_gpu_hour is not None and self.gpus is None and not self.model_gpus:
            raise ValueError("price_per_gpu_hour needs gpus: how many are behind the servers")
        return self


Often = Annotated[int, Field(gt=0, le=1000)]  # requests of one problem


class Truncation(Section):
    """What becomes of a response that ends at ``max_tokens`` (``finish_reason=length``).

    See tracemill/generate/truncation.py for what is sent, and when a response is not continued.
    """

    policy: Literal["drop", "continue", "resample"] = Field(
        default="drop",
        description="drop: it stays as it is, and section quality drops it; continue: from where it ends; resample: "
        "once more, with room for max_tokens.",
    )
    max_tokens: Positive | None = Field(
        default=None, description="Of the new request; required by resample. To continue: distill.teacher.max_tokens."
    )
    times: Often = Field(default=1, description="A response is continued at most so often.")

    @model_validator(mode="after")
    def _sensible(self) -> Truncation:
        if self.policy == "resample" and self.max_tokens is None:
            raise ValueError("resample needs max_tokens, larger than distill.teacher.max_tokens")
        if self.policy != "continue" and self.times != 1:
            raise ValueError("times is of policy continue alone")
        return self


class Turn(NamedTuple):
    """Whom to ask in a round, and how often; the name is of one of several, None where there is one."""

    teacher: Teacher
    samples: int
    name: str | None


def _price_of_output(turn: Turn) -> float:
    price = turn.teacher.price
    return price.output or 0.0 if price is not None else 0.0


class Distill(Section):
    """Reuse traces that came with a row, then ask the teacher for what is still unsolved."""

    teacher: Teacher | None = Field(
        default=None,
        description="Who is asked for what no trace has solved. null: nobody; the traces that came along are verified "
        "and filtered.",
    )
    teachers: tuple[OneOfSeveral, ...] = Field(
        default=(),
        description="Several teachers instead of one, each with its servers, samples and price; see docs/teachers.md.",
        json_schema_extra={"silent": True},
    )
    ask: Literal["in_turn", "cheapest_first", "all"] = Field(
        default="in_turn",
        description="Of several teachers: in_turn: each in the order of the list, for what those before have left "
        "unsolved; cheapest_first: likewise, by the price of output; all: every one, for what no earlier round has "
        "solved.",
        json_schema_extra={"silent": True},
    )
    reuse_traces: bool = Field(default=True, description="Verify the traces that came with a row before asking.")
    reuse_models: tuple[str, ...] = Field(
        default=("deepseek-r1",),
        min_length=1,
        description="Models whose existing traces may be reused; traces by other models are ignored. P1 reuses R1's.",
    )
    samples_per_round: Often = Field(default=1, description="Samples of each unsolved problem in a round.")
    max_rounds: Often = Field(default=1, description="Rounds of samples until one passes.")
    truncation: Truncation = Truncation()
    cost: Cost | None = Field(
        default=None,
        description="Say before generation what it will cost, and have it approved.",
        json_schema_extra={"operational": True},
    )
    budget: Annotated[float, Field(gt=0, le=1e9)] | None = Field(
        default=None,
        description="What the teacher, and other models with a price, may cost, over all runs of this recipe with this "
        "ledger. Then nothing more is asked, and the run ends as Paused: budget; with a larger one it goes on. Needs "
        "teacher.price.",
        json_schema_extra=_HOW,
    )
    currency: str | None = Field(
        default=None,
        description="Of the budget and of the teacher's prices; cost.currency unless given.",
        json_schema_extra=_HOW,
    )
    limit: Positive | None = Field(
        default=None,
        description="At most so many problems are distilled, the first by content id; the rest is dropped.",
    )

    @model_validator(mode="after")
    def _more_room(self) -> Distill:
        room, first = self.truncation.max_tokens, max((one.max_tokens for one in self.asked), default=0)
        if self.truncation.policy == "resample" and room is not None and room <= first:
            raise ValueError(f"truncation.max_tokens is {room}; expected more than teacher.max_tokens, {first}")
        return self

    @model_validator(mode="after")
    def _one_or_several(self) -> Distill:
        if self.teacher is not None and self.teachers:
            raise ValueError("names teacher and teachers: write one as teacher, several as the list")
        if self.teachers and "samples_per_round" in self.model_fields_set:
            raise ValueError("samples_per_round is of one teacher; of several each has its own samples")
        if not self.teachers and "ask" in self.model_fields_set:
            raise ValueError("ask is of several teachers; leave it out")
        names = [one.named for one in self.teachers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"teachers are told apart by name; twice: {', '.join(twice)}; give each a name")
        requests = [one.in_turn.digest() for one in self.teachers]
        for place, request in enumerate(requests):
            if request in requests[:place]:
                raise ValueError(
                    f"teachers {names[requests.index(request)]} and {names[place]} ask for the same, so that one would "
                    "find the other's answers: name their servers in one entry, or another revision"
                )
        if self.ask == "cheapest_first" and any(one.price is None or not one.price.by_tokens for one in self.teachers):
            raise ValueError("ask: cheapest_first needs every teacher's price of tokens; in_turn keeps to the list")
        return self

    @model_validator(mode="after")
    def _samples_differ(self) -> Distill:
        if any(turn.samples * self.max_rounds > 1 and "seed" in turn.teacher.extra_body for turn in self.turns):
            raise ValueError("teacher.extra_body.seed would make all samples of a problem the same one; leave it out")
        return self

    @model_validator(mode="after")
    def _affordable(self) -> Distill:
        if self.budget is not None and any(one.price is None for one in self.asked):
            raise ValueError(
                "budget needs the price of every teacher (teacher.price), which says what is counted against it: "
                "{input: …, output: …} of a million tokens, {gpu_hour: …, gpus: …}, or {reported: true}"
            )
        named = self.cost is not None and "currency" in self.cost.model_fields_set
        if self.cost is not None and named and self.currency not in {None, self.cost.currency}:
            raise ValueError(f"cost.currency is {self.cost.currency} and currency {self.currency}: name one")
        return self

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Whoever is asked in a round, in order; nobody where traces that came along are all there is."""
        if self.teacher is not None:
            return (Turn(self.teacher, self.samples_per_round, None),)
        several = [Turn(one.in_turn, one.samples, one.named) for one in self.teachers]
        return tuple(sorted(several, key=_price_of_output) if self.ask == "cheapest_first" else several)

    @property
    def asked(self) -> tuple[Teacher, ...]:
        """The teachers of the turns."""
        return tuple(turn.teacher for turn in self.turns)

    @property
    def money(self) -> str:
        """The currency of all prices."""
        return self.currency or (self.cost or Cost()).currency

    def purse(self, name: str) -> Purse:
        """Return whose money is spent.

        Args:
            name: of the recipe.
        """
        return Purse(name=name, budget=self.budget, currency=self.money)

    @model_validator(mode="after")
    def _has_responses(self) -> Distill:
        if not self.asked and not self.reuse_traces:
            raise ValueError(
                "needs a teacher where reuse_traces is false, else nobody answers: name distill.teacher, "
                "or leave reuse_traces out to verify the traces that came along"
            )
        return self
