"""The DAG of one shard, as functions that call its steps one after the other.

::

    curate:   collect -> clean -> sign
    prepare:  drop duplicates -> decontaminate -> label -> [label by model]* -> [downsample]
    distill:  [over the limit?] -> reuse -> VERIFY -> (distill -> VERIFY)*        then see flows/phases/select.py
    VERIFY:   verify -> [reward] -> [rubric] -> [judge] -> [vote]    models and votes only where the recipe names them
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from flows.engine.steps import Step
from tasks.clean import clean_shard
from tasks.distill import (
    TEACHER_NAME,
    DistillRound,
    Reuse,
    ReuseOnly,
    apply_limit_shard,
    distill_shard,
    reuse_traces_shard,
)
from tasks.duplicates import drop_duplicates_shard, set_aside_shard, sign_shard
from tasks.engine.quarantine import SET_ASIDE
from tasks.engine.stage import StageTask
from tasks.engine.work import NoSettings
from tasks.judges import JudgeRound, ScoreRound, judge_shard, reward_shard, rubric_shard
from tasks.label import LabelRound, Measure, downsample_shard, label_by_model_shard, label_shard
from tasks.snapshot import collect_shard
from tasks.verify import VoteRound, verify_shard, vote_shard
from tracemill.core import Section, digest
from tracemill.inference.refusals import REFUSED
from tracemill.recipe.sections.judges import ModelJudged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracemill.recipe import Recipe
    from tracemill.recipe.sections.distill import Turn
    from tracemill.select.calibration import Threshold
    from tracemill.sources import Source
    from tracemill.store import Manifest, RawShard, Shard

# Stages that follow each other, with their sections.
Stages = tuple[tuple[StageTask, Section], ...]


@dataclass(frozen=True)
class ShardHistory:
    """What has happened to one shard so far.

    Attributes:
        source: where its rows are from.
        manifests: of every step, in order.
        current: the table that the next step works on.
    """

    source: str
    manifests: tuple[Manifest, ...]
    current: Shard

    def then(self, manifest: Manifest, output: str = "kept") -> ShardHistory:
        """Return the history with one more step."""
        return replace(self, manifests=(*self.manifests, manifest), current=manifest.outputs[output])

    def outputs(self, name: str) -> list[Shard]:
        """Return every table of that name that a step has written, in order."""
        return [manifest.outputs[name] for manifest in self.manifests if name in manifest.outputs]


def curate_one(step: Step, raw: RawShard, source: Source, recipe: Recipe) -> ShardHistory:
    """Raw rows to signed problems: ``current``, and the signatures are the last output of that name."""
    collected = step(collect_shard, source, {"raw": raw.shard})
    history = ShardHistory(raw.source, (collected,), collected.outputs["kept"])
    history = history.then(step(clean_shard, recipe.clean, {"problems": history.current}))
    signed = step(sign_shard, recipe.deduplicate.signature, {"problems": history.current})
    history = replace(history, manifests=(*history.manifests, signed))
    aside = set_aside([signed])
    if aside:
        history = history.then(step(set_aside_shard, NoSettings(), {"problems": history.current} | aside))
    return history


def prepare_one(
    step: Step,
    history: ShardHistory,
    decisions: Shard,
    decontaminate: Callable[[Step, ShardHistory], ShardHistory],
    labelling: Stages,
    aside: Mapping[str, Shard],
) -> ShardHistory:
    """Turn problems into labelled problems that are wanted, nobody's duplicate and in no benchmark.

    Args:
        step: does one step.
        history: of the shard so far.
        decisions: which rows are duplicates.
        decontaminate: compares with benchmarks.
        labelling: the stages that label.
        aside: rows that were set aside beside the history, as inputs.
    """
    inputs = {"problems": history.current, "decisions": decisions, **aside}
    history = history.then(step(drop_duplicates_shard, NoSettings(), inputs))
    history = decontaminate(step, history)
    for stage, section in labelling:
        history = history.then(step(stage, section, {"problems": history.current}))
    return history


def labellings(recipe: Recipe, measure: Measure, ledger: str) -> Stages:
    """The stages that label problems, and the one that selects by labels: apart, so that other rules ask nobody."""
    stages: list[tuple[StageTask, Section]] = [(label_shard, measure)]
    stages += [
        (label_by_model_shard, LabelRound(labeller=model, ledger=ledger, purse=recipe.purse))
        for model in recipe.label.labellers
    ]
    if recipe.label.drop or recipe.label.downsample:
        stages.append((downsample_shard, recipe.label.selected))
    return tuple(stages)


def distill_one(
    step: Step, history: ShardHistory, over: Shard | None, cuts: Mapping[str, Threshold], ledger: str, recipe: Recipe
) -> Distilled:
    """Turn problems into verified responses: reuse before generate, resample until one passes or the rounds are spent.

    Without a teacher the traces that came along are all there is.
    """
    if over is not None:
        inputs = {"problems": history.current, "over": over}
        history = history.then(step(apply_limit_shard, recipe.distill, inputs))
    problems, turns = history.current, recipe.distill.turns
    voting = None if recipe.majority is None else VoteRound(majority=recipe.majority, verify=recipe.verify)
    rounds = Rounds(problems, verifications(recipe, cuts, ledger), voting=voting)
    if recipe.reused:
        inputs = {"problems": problems} | numbered(history.manifests, "texts")
        reuse = Reuse if turns else ReuseOnly
        rounds = rounds.judge(step, step(reuse_traces_shard, reuse(models=recipe.reused), inputs))
    for number in range(recipe.distill.max_rounds if turns else 0):
        before, n_asked = rounds, 0
        for turn in turns:
            # Where all are asked, none sees what another has solved in the same round.
            known = before if recipe.distill.ask == "all" else rounds
            inputs = {"problems": problems} | known.inputs("verdicts", SET_ASIDE) | known.refused(turn.name)
            asked = step(distill_shard, _round(turn, number, ledger, recipe), inputs)
            rounds = rounds.judge(step, asked)
            n_asked += asked.rows_in
        if n_asked == 0:
            break
    return Distilled(history, rounds)


def _round(turn: Turn, number: int, ledger: str, recipe: Recipe) -> DistillRound:
    """Return what one teacher is asked in a round."""
    return DistillRound(
        teacher=turn.teacher,
        first_sample=number * turn.samples,
        samples=turn.samples,
        truncation=recipe.distill.truncation,
        models=judged_by_models(recipe),
        verify=recipe.verify,
        ledger=ledger,
        purse=recipe.purse,
        name=turn.name,
        vote_samples=recipe.vote_samples,
    )


def start_order(recipe: Recipe, prepared: Mapping[str, ShardHistory]) -> list[str]:
    """Labels of the shards in the order in which they are distilled: the largest first, so that none is last."""
    sizes = {label: history.current.rows for label, history in prepared.items()}
    asked = recipe.distill.asked
    order = asked[0].order if asked else "longest_first"
    if order == "shuffled":
        return sorted(sizes, key=lambda label: digest("start", label))
    return sorted(sizes, key=lambda label: -sizes[label]) if order == "longest_first" else list(sizes)


def verifications(recipe: Recipe, cuts: Mapping[str, Threshold], ledger: str) -> Stages:
    """Return the stages that judge a round of responses, in order: the rules, then the models that the recipe names."""
    stages: list[tuple[StageTask, Section]] = [(verify_shard, recipe.verify)]
    cost = {"ledger": ledger, "purse": recipe.purse}
    if recipe.reward is not None:
        stages.append(
            (
                reward_shard,
                ScoreRound(scored=recipe.reward, cut=cuts["reward"].value, **cost),
            )
        )
    if recipe.rubric is not None:
        stages.append(
            (
                rubric_shard,
                ScoreRound(scored=recipe.rubric, cut=cuts["rubric"].value, **cost),
            )
        )
    if recipe.judge is not None:
        stages.append((judge_shard, JudgeRound(judge=recipe.judge, **cost)))
    return tuple(stages)


def judged_by_models(recipe: Recipe) -> ModelJudged:
    """Return where models, or votes, can judge what rules cannot."""
    scored = {str(category) for scores in (recipe.reward, recipe.rubric) if scores for category in scores.categories}
    return ModelJudged(
        scored=tuple(sorted(scored)),
        compared=recipe.judge.compares if recipe.judge else (),
        voted=tuple(sorted(recipe.majority.categories)) if recipe.majority and recipe.majority.make else (),
    )


@dataclass(frozen=True)
class Rounds:
    """The rounds of responses to one shard's problems, and their verdicts.

    Attributes:
        stages: that judge a round.
        manifests: of all rounds; of votes, which are over all rounds so far, the last one.
        voting: how samples are counted, if they are.
    """

    problems: Shard
    stages: Stages
    manifests: tuple[Manifest, ...] = ()
    voting: VoteRound | None = None

    def judge(self, step: Step, answered: Manifest) -> Rounds:
        """Verifies one more round; each stage sees the verdicts of those before it, and adds its own."""
        inputs = {"problems": self.problems, "responses": answered.outputs["responses"]}
        rounds = replace(self, manifests=(*self._without_vote, answered))
        for number, (stage, section) in enumerate(self.stages):
            verified = step(stage, section, inputs | rounds.inputs(SET_ASIDE))
            inputs = inputs | {f"verdicts-{number:03d}": verified.outputs["verdicts"]}
            rounds = replace(rounds, manifests=(*rounds.manifests, verified))
        if self.voting is None:
            return rounds
        inputs = {"problems": self.problems} | rounds.inputs("responses", "verdicts", SET_ASIDE)
        return replace(rounds, manifests=(*rounds.manifests, step(vote_shard, self.voting, inputs)))

    @property
    def _without_vote(self) -> tuple[Manifest, ...]:
        return tuple(found for found in self.manifests if found.stage != vote_shard.name)

    def refused(self, teacher: str | None) -> dict[str, Shard]:
        """Return what a teacher has refused in these rounds, as inputs of the next one; nothing where it has not."""
        told = [found for found in self.manifests if REFUSED in found.facts]
        return numbered([found for found in told if found.facts.get(TEACHER_NAME) == teacher], "unasked")

    def inputs(self, *names: str) -> dict[str, Shard]:
        """Return the rounds' tables of these names, as numbered inputs."""
        return numbered(self.manifests, *names)


def numbered(manifests: Sequence[Manifest], *names: str) -> dict[str, Shard]:
    """Return the outputs of these names, as numbered inputs."""
    tables = [(name, found.outputs[name]) for name in names for found in manifests if name in found.outputs]
    places: Counter[str] = Counter()
    inputs = {}
    for name, table in tables:
        inputs[f"{name}-{places[name]:03d}"] = table
        places[name] += 1
    return inputs


def set_aside(manifests: Sequence[Manifest]) -> dict[str, Shard]:
    """Return the rows that stages have set aside, as inputs of a stage that must not see them."""
    return numbered(manifests, SET_ASIDE)


class Distilled(NamedTuple):
    """One shard's problems, and all responses to them with their verdicts."""

    history: ShardHistory
    rounds: Rounds
