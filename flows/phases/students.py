"""The DAG of a comparison of students: what each is trained on, and what it answers.

::

    read:      the run's responses -> candidates; the held-out problems, none of which may be among them
    noise:     (draw arms -> train -> verify) of one arm, over the least number of seeds: how many seeds it takes
    train:     (draw arms -> train -> verify) of every arm and seed; the base as it is, too
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from tasks.training.students import CANDIDATES, FAILED, Drawing, Training, draw_arms_of_seed, suffixed, train_student
from tasks.verify import verify_shard
from tracemill.core import (
    Outcome,
    Problem,
    RecipeError,
    Response,
    TrainerError,
    Verdict,
    json_text,
    rows_of,
    table_of,
)
from tracemill.text.tokens import count_tokens, estimated_tokens
from tracemill.training.contrast import seed_noise, seeds_needed
from tracemill.training.held_out import read_held_out, refuse_held_out_in
from tracemill.training.traces import PUBLISHED, traces_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flows.engine.context import RunContext
    from flows.engine.steps import Step
    from tracemill.recipe.sections.students import Comparison
    from tracemill.store import Shard
    from tracemill.training.held_out import HeldOutItems
from tracemill.training.traces import Trace

BASE = "base"  # label of the student that was trained on nothing


class Student(NamedTuple):
    """One student, trained and judged.

    Attributes:
        arm: that it was trained on; ``BASE``: on nothing.
        seed: of its training.
        rows: what it was trained on.
        told: facts of its training.
        scores: share of right answers to each item, in the order of the items; None where it has failed.
        outcomes: its answers by outcome.
    """

    arm: str
    seed: int
    rows: Shard
    told: dict[str, Any]
    scores: NDArray[np.float64] | None
    outcomes: dict[str, int]
    responses: Shard
    verdicts: Shard


@dataclass
class Trained:
    """All students of a comparison.

    Attributes:
        held_out: what students are scored by.
        students: in order.
        noise: standard deviation of one arm's score from seed to seed, before the contrast was looked at.
        needed: seeds that this noise asks for.
        n_seeds: seeds that were trained.
        arms: rows, tokens, right and wrong of each arm, by seed.
    """

    held_out: HeldOutItems
    students: list[Student] = field(default_factory=list)
    noise: float | None = None
    needed: int | None = None
    n_seeds: int = 0
    arms: dict[int, dict[str, dict[str, int]]] = field(default_factory=dict)

    def table(self, arm: str) -> dict[int, NDArray[np.float64]]:
        """Return the primary scores of an arm's students that have not failed, by seed."""
        primary = self.held_out.primary
        return {one.seed: one.scores[primary] for one in self.students if one.arm == arm and one.scores is not None}


def train_all(context: RunContext[Comparison]) -> Trained:
    """Read, measure the noise of a seed, train.

    Raises:
        RecipeError: a held-out problem is in the run, or an arm is too small.
        TrainerError: a student could not be trained; the others are kept.
    """
    recipe = context.recipe
    traces = list(traces_of(Path(recipe.traces), "all" if _needs_rejected(recipe) else PUBLISHED))
    held_out = read_held_out(recipe)
    refuse_held_out_in(traces, held_out.problems)
    candidates = context.store.write_table(_candidates(recipe, traces))
    problems = context.store.write_table(table_of(Problem, held_out.problems))
    trained = Trained(held_out)
    training = _Training(context, candidates, problems, trained)
    seeds = recipe.seeds
    training.train("noise", [(recipe.contrast.behind, seed) for seed in range(seeds.least)])
    scores = list(trained.table(recipe.contrast.behind).values())
    trained.noise = seed_noise(np.array(scores)) if len(scores) > 1 else None
    trained.needed = None if trained.noise is None else seeds_needed(trained.noise, seeds.detect)
    trained.n_seeds = min(seeds.most, max(seeds.least, trained.needed or seeds.least))
    context.logger.info("%s", noise_told(trained, recipe))
    pairs = [(arm.name, seed) for seed in range(trained.n_seeds) for arm in recipe.arms]
    training.train("train", [(BASE, 0), *pairs])
    return trained


def noise_told(trained: Trained, recipe: Comparison) -> str:
    """Return how many seeds there are, and by what."""
    if trained.noise is None:
        return f"one seed: the noise of {recipe.contrast.behind} from seed to seed is not known"
    return (
        f"{recipe.contrast.behind} differs from seed to seed by {100 * trained.noise:.1f} points (standard deviation): "
        f"to find {100 * recipe.seeds.detect:g} points takes {trained.needed} seeds; {trained.n_seeds} are trained"
    )


def _needs_rejected(recipe: Comparison) -> bool:
    return any(arm.traces != "published" for arm in recipe.arms)


def _candidates(recipe: Comparison, traces: list[Trace]) -> pa.Table:
    """Return every response that an arm may hold, as a student is shown it."""
    rows: list[dict[str, Any]] = []
    for trace in traces:
        *earlier, asked = trace.asked
        content = suffixed(asked["content"], trace.category, recipe.template)
        completion = trace.answer if trace.think is None else f"<think>{trace.think}</think>\n\n{trace.answer.strip()}"
        rows.append(
            {
                "id": trace.id,
                "response_id": trace.response_id,
                "outcome": trace.outcome,
                "published": trace.published,
                "prompt": json_text([*earlier, {**asked, "content": content}]),
                "completion": completion,
            }
        )
    texts = ["\n".join([*(turn["content"] for turn in json.loads(row["prompt"])), row["completion"]]) for row in rows]
    for row, n_tokens in zip(rows, _tokens(recipe, texts), strict=True):
        row["n_tokens"] = n_tokens
    return pa.Table.from_pylist(sorted(rows, key=lambda row: row["response_id"]), schema=CANDIDATES)


def _tokens(recipe: Comparison, texts: list[str]) -> list[int]:
    beside = Path(recipe.trainer.base) / "tokenizer.json"
    if recipe.trainer.tokenizer and beside.is_file() and beside.read_bytes() != _read(recipe.trainer.tokenizer):
        raise RecipeError(
            "tokens would be counted by another tokenizer than the base's",
            got=f"trainer.tokenizer: {recipe.trainer.tokenizer}",
            expected=f"{beside}",
            remedy="leave trainer.tokenizer out: the base has its own beside it",
        )
    file = recipe.trainer.tokenizer or (str(beside) if beside.is_file() else None)
    return [estimated_tokens(text) for text in texts] if file is None else count_tokens(texts, file)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RecipeError(f"trainer.tokenizer cannot be read: {path}", got=error.strerror or "") from error


def code_of(recipe: Comparison) -> str:
    """Return the digest of the program and of the base's files: another of either trains anew.

    Raises:
        RecipeError: the program is not there.
    """
    program = recipe.trainer.program
    path = Path(program if program.endswith(".py") else f"{program.replace('.', '/')}.py")
    if not path.is_file():
        raise RecipeError(
            "trainer.program is not there", got=program, expected="a module of this repository, or a file"
        )
    base = Path(recipe.trainer.base)
    files = [path, *sorted(file for file in base.glob("*") if file.is_file())]
    found = hashlib.sha256()
    for file in files:
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


class _Training:
    """Trains students, each of which is found again when it was finished before."""

    def __init__(self, context: RunContext[Comparison], candidates: Shard, problems: Shard, trained: Trained) -> None:
        self._context, self._candidates, self._problems, self._trained = context, candidates, problems, trained
        self._code = code_of(context.recipe)
        self._names = [problem.id for problem in trained.held_out.problems]
        self._drawn: dict[int, dict[str, Shard]] = {}
        self._nothing = context.store.write_table(CANDIDATES.empty_table())

    def train(self, phase: str, wanted: list[tuple[str, int]]) -> None:
        """Train those arms and seeds that have not been trained yet."""
        for _, seed in wanted:
            self._draw(seed)
        done = {(one.arm, one.seed) for one in self._trained.students}
        work = {
            f"{arm} seed {seed}": partial(self._one, arm=arm, seed=seed)
            for arm, seed in wanted
            if (arm, seed) not in done
        }
        found = self._context.phase(phase, "verify", work, list(work), [self._problems, *self._rows(wanted)])
        self._trained.students += found.values()

    def _rows(self, wanted: list[tuple[str, int]]) -> list[Shard]:
        return [self._shard(arm, seed) for arm, seed in wanted]

    def _shard(self, arm: str, seed: int) -> Shard:
        return self._nothing if arm == BASE else self._drawn[seed][f"arm-{arm}"]

    def _draw(self, seed: int) -> None:
        if seed in self._drawn:
            return
        recipe = self._context.recipe
        section = Drawing(arms=recipe.arms, tokens=recipe.tokens, seed=seed)
        made = self._context.single(draw_arms_of_seed, section, {"candidates": self._candidates}, f"seed {seed}")
        self._drawn[seed] = dict(made.outputs)
        self._trained.arms[seed] = made.facts["arms"]

    def _one(self, step: Step, arm: str, seed: int) -> Student:
        recipe, rows = self._context.recipe, self._shard(arm, seed)
        section = Training(trainer=recipe.trainer, code=self._code, seed=seed, template=recipe.template)
        made = step(train_student, section, {"rows": rows, "held_out": self._problems})
        inputs = {"problems": self._problems, "responses": made.outputs["responses"]}
        verified = step(verify_shard, recipe.verify, inputs)
        verdicts = list(rows_of(Verdict, self._context.store.read_table(verified.outputs["verdicts"])))
        outcomes: dict[str, int] = dict(verified.facts["outcomes"])
        if outcomes.get(Outcome.SANDBOX_ERROR):
            raise TrainerError(
                f"{outcomes[Outcome.SANDBOX_ERROR]} answers of {arm} seed {seed} were not judged", remedy="run again"
            )
        scores = None if FAILED in made.facts else self._scores(verdicts)
        responses = made.outputs["responses"]
        return Student(arm, seed, rows, dict(made.facts), scores, outcomes, responses, verified.outputs["verdicts"])

    def _scores(self, verdicts: list[Verdict]) -> NDArray[np.float64]:
        right: dict[str, list[bool]] = {name: [] for name in self._names}
        for verdict in verdicts:
            right[verdict.problem_id].append(verdict.outcome == Outcome.CORRECT)
        return np.array([sum(marks) / len(marks) for marks in right.values()])


def responses_of(context: RunContext[Comparison], trained: Trained) -> pa.Table:
    """Return every answer of every student with its verdict."""
    tables = []
    for one in trained.students:
        responses = list(rows_of(Response, context.store.read_table(one.responses)))
        verdicts = {v.response_id: v for v in rows_of(Verdict, context.store.read_table(one.verdicts))}
        tables += [
            {
                "arm": one.arm,
                "seed": one.seed,
                "problem_id": answer.problem_id,
                "sample_index": answer.sample_index,
                "think": answer.think,
                "answer": answer.answer,
                "outcome": verdicts[answer.id].outcome,
                "extracted": verdicts[answer.id].extracted,
                "finish_reason": answer.finish_reason,
            }
            for answer in responses
        ]
    return pa.Table.from_pylist(tables, schema=ANSWERS)


ANSWERS = pa.schema(
    [
        ("arm", pa.string()),
        ("seed", pa.int64()),
        ("problem_id", pa.string()),
        ("sample_index", pa.int32()),
        ("think", pa.large_string()),
        ("answer", pa.large_string()),
        ("outcome", pa.string()),
        ("extracted", pa.large_string()),
        ("finish_reason", pa.string()),
    ]
)
