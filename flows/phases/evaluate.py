"""The DAG of an evaluation, shard by shard, and what it comes to.

::

    read:      collect -> items                      then benchmarks are refused that are not whole, or cannot be judged
    training:  collect -> nearness                   only where the recipe says what the student was trained on
    evaluate:  ask (or given) -> verify -> [judge] -> samples
    score:     score                                 one task over all shards
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from flows.phases.collect import read_sources, refuse_lost_sources, shard_labels
from flows.phases.shards import ShardHistory
from tasks.engine.work import NoSettings
from tasks.evaluation.answers import Questions, ask_student_shard, given_responses, read_responses
from tasks.evaluation.items import Picking, pick_items_shard
from tasks.evaluation.nearness import nearness_shard, texts_of_items
from tasks.evaluation.scores import Scoring, judged_samples_shard, score_items
from tasks.judges import JudgeRound, judge_shard
from tasks.snapshot import collect_shard
from tasks.verify import verify_shard
from tracemill.core import Category, Dropped, Section, rows_of
from tracemill.evaluate import ItemScore, JudgedSample
from tracemill.evaluate.items import Found, lost_rows, name_of, refuse_unusable
from tracemill.evaluate.nearness import groups_of
from tracemill.recipe.sections.audit import Audit

if TYPE_CHECKING:
    from flows.engine.context import RunContext
    from flows.engine.steps import Step
    from tracemill.recipe.evaluation import Evaluated, Evaluation
    from tracemill.sources import Source
    from tracemill.store import RawShard, Shard

_VOTING = (Category.MATH, Category.CHOICE)
_N_COLUMNS = ["id", "row", "info", "category"]


@dataclass(frozen=True)
class EvaluatedShards:
    """All items, evaluated.

    Attributes:
        items: the table of ``ItemScore`` rows.
        scores: its rows.
        responses, samples: shards of ``Response`` and ``JudgedSample`` rows.
        problems: shards of the items' problems.
        served_as: names under which the student answered.
        n_prompts: of the training set; None where none was named.
    """

    items: Shard
    scores: list[ItemScore]
    responses: list[Shard]
    samples: list[Shard]
    problems: list[Shard]
    served_as: list[str]
    n_prompts: int | None


def evaluate_all(context: RunContext[Evaluation]) -> EvaluatedShards:
    """Read the benchmarks, have every item answered and judged, and score them.

    Raises:
        TracemillError: a benchmark is refused before anybody is asked; what was finished before is kept.
    """
    recipe = context.recipe
    read = read_benchmarks(context)
    groups, n_prompts = _groups(context, read)
    given = _given(context, read)
    by_name = {benchmark.name: benchmark for benchmark in recipe.benchmarks}
    work = {}
    for label, history in read.items():
        benchmark = by_name[history.source]
        questions = Questions(student=recipe.student_for(benchmark), samples=benchmark.samples, ledger=context.ledger)
        work[label] = partial(
            _evaluate_one, history=history, questions=questions, given=given.get(label), recipe=recipe
        )
    done = context.phase("evaluate", judged_samples_shard.name, work, after=[one.current for one in read.values()])
    samples = [history.outputs("samples")[-1] for history in done.values()]
    voting = tuple(sorted({name for name, category in _categories(context, read) if category in _VOTING}))
    inputs = {f"samples-{number:05d}": shard for number, shard in enumerate(samples)}
    scored = context.single(score_items, Scoring(votes=voting, groups=groups), inputs, "all items")
    steps = [manifest for history in done.values() for manifest in history.manifests]
    models = {model for manifest in steps for model in manifest.facts.get("models", ())}
    return EvaluatedShards(
        items=scored.outputs["items"],
        scores=list(rows_of(ItemScore, context.store.read_table(scored.outputs["items"]))),
        responses=[history.outputs("responses")[-1] for history in done.values()]
        if not given
        else list(given.values()),
        samples=samples,
        problems=[history.current for history in read.values()],
        served_as=sorted(models),
        n_prompts=n_prompts,
    )


def read_benchmarks(context: RunContext[Evaluation]) -> dict[str, ShardHistory]:
    """Return the items of all benchmarks by label of their shard; ``current`` are problems.

    Raises:
        SourceError: one cannot be read, is not whole, has no item in its window, or some that cannot be judged.
    """
    recipe = context.recipe
    collection = read_sources(context)
    raws = collection.shards()
    by_name = {benchmark.name: benchmark for benchmark in recipe.benchmarks}
    work = {
        label: partial(
            _read_one,
            raw=raw,
            source=by_name[raw.source].source,
            picking=_picking(by_name[raw.source], recipe),
        )
        for label, raw in zip(shard_labels(collection), raws, strict=True)
    }
    read = context.phase("read", pick_items_shard.name, work, after=[raw.shard for raw in raws])
    for benchmark in recipe.benchmarks:
        n_rows = sum(raw.shard.rows for raw in raws if raw.source == benchmark.name)
        found = [history for history in read.values() if history.source == benchmark.name]
        refuse_unusable(benchmark, _found(context, n_rows, found))
    refuse_lost_sources(context, read.values())
    return read


def _picking(benchmark: Evaluated, recipe: Evaluation) -> Picking:
    compared = recipe.judge.compares if recipe.judge else ()
    return Picking(dates=benchmark.dates, zeros=benchmark.has_zeros, verify=recipe.verify, compared=compared)


def _read_one(step: Step, raw: RawShard, source: Source, picking: Picking) -> ShardHistory:
    collected = step(collect_shard, source, {"raw": raw.shard})
    history = ShardHistory(raw.source, (collected,), collected.outputs["kept"])
    return history.then(step(pick_items_shard, picking, {"problems": history.current}))


def _found(context: RunContext[Evaluation], n_rows: int, histories: list[ShardHistory]) -> Found:
    """Return what was found of one benchmark."""
    columns = [context.store.read_table(history.current, _N_COLUMNS).to_pylist() for history in histories]
    items = [row for rows in columns for row in rows]
    facts = [history.manifests[-1].facts for history in histories]
    dropped = [
        row
        for history in histories
        for shard in history.outputs("dropped")
        for row in rows_of(Dropped, context.store.read_table(shard))
    ]
    return Found(
        n_rows=n_rows,
        lost=lost_rows(dropped),
        names=[name_of(json.loads(row["info"]), row["row"]) for row in items],
        ids=[row["id"] for row in items],
        first=min((fact["first"] for fact in facts if fact["first"]), default=None),
        last=max((fact["last"] for fact in facts if fact["last"]), default=None),
        undated=sum(fact["undated"] for fact in facts),
        unjudgeable={item: why for fact in facts for item, why in fact["unjudgeable"].items()},
    )


def _categories(context: RunContext[Evaluation], read: Mapping[str, ShardHistory]) -> set[tuple[str, str]]:
    """Return the categories of each benchmark's items."""
    return {
        (history.source, category) for history in read.values() for category in _column(context, history, "category")
    }


def _column(context: RunContext[Evaluation], history: ShardHistory, name: str) -> list[str]:
    values: list[str] = context.store.read_table(history.current, [name])[name].to_pylist()
    return values


def _given(context: RunContext[Evaluation], read: Mapping[str, ShardHistory]) -> dict[str, Shard]:
    """Return the responses of a file by label of their shard; nothing where the student is asked.

    Raises:
        SourceError: the file has not the declared samples of every item, and of nothing else.
    """
    student = context.recipe.student
    if student.responses is None:
        return {}
    samples = {benchmark.name: benchmark.samples for benchmark in context.recipe.benchmarks}
    inputs = {f"problems-{number:05d}": history.current for number, history in enumerate(read.values())}
    plan = given_responses(student.responses, student.model, samples)
    found = context.single(read_responses, plan, inputs, "of a file")
    return {label: found.outputs[f"responses-{number:05d}"] for number, label in enumerate(read)}


def _evaluate_one(
    step: Step, history: ShardHistory, questions: Questions, given: Shard | None, recipe: Evaluation
) -> ShardHistory:
    """Items to judged samples."""
    inputs = {"problems": history.current}
    if given is None:
        asked = step(ask_student_shard, questions, inputs)
        history = replace(history, manifests=(*history.manifests, asked))
        inputs |= {name: asked.outputs[name] for name in ("responses", "unanswered")}
    else:
        inputs |= {"responses": given}
    to_judge = {name: inputs[name] for name in ("problems", "responses")}
    verified = step(verify_shard, recipe.verify, to_judge)
    inputs |= {"verdicts": verified.outputs["verdicts"]}
    history = replace(history, manifests=(*history.manifests, verified))
    if recipe.judge is not None:
        looked = to_judge | {"verdicts-000": verified.outputs["verdicts"]}
        second = step(judge_shard, JudgeRound(judge=recipe.judge, ledger=questions.ledger), looked)
        inputs |= {"opinions": second.outputs["verdicts"]}
        history = replace(history, manifests=(*history.manifests, second))
    judged = step(judged_samples_shard, recipe.verify, inputs)
    return replace(history, manifests=(*history.manifests, judged))


def _groups(context: RunContext[Evaluation], read: Mapping[str, ShardHistory]) -> tuple[dict[str, str], int | None]:
    """Return where each item stands to the training set, and how many prompts that has."""
    recipe = context.recipe
    if recipe.trained_on is None:
        return {}, None
    inputs = {f"problems-{number:05d}": history.current for number, history in enumerate(read.values())}
    items = context.single(texts_of_items, NoSettings(), inputs, "all items").outputs["items"]
    reading: Any = Audit(
        name=recipe.name, data_dir=recipe.data_dir, sources=(recipe.trained_on,), verify=recipe.verify, run=recipe.run
    )
    training: RunContext[Any] = replace(context, recipe=reading)
    collection = read_sources(training)
    work = {
        label: partial(_near_one, raw=raw, source=recipe.trained_on, items=items, rules=recipe.overlap)
        for label, raw in zip(shard_labels(collection), collection.shards(), strict=True)
    }
    found = training.phase("training set", nearness_shard.name, work, after=[items])
    refuse_lost_sources(training, found.values())
    context.n_cached, context.n_executed = training.n_cached, training.n_executed
    ids = [
        name
        for history in read.values()
        for name in context.store.read_table(history.current, ["id"])["id"].to_pylist()
    ]
    tables = [context.store.read_table(history.outputs("met")[-1]) for history in found.values()]
    return groups_of(ids, tables), sum(history.manifests[-1].rows_in for history in found.values())


def _near_one(step: Step, raw: RawShard, source: Source, items: Shard, rules: Section) -> ShardHistory:
    collected = step(collect_shard, source, {"raw": raw.shard})
    history = ShardHistory(raw.source, (collected,), collected.outputs["kept"])
    near = step(nearness_shard, rules, {"problems": history.current, "items": items})
    return replace(history, manifests=(*history.manifests, near))


def all_samples(context: RunContext[Evaluation], shards: list[Shard]) -> list[JudgedSample]:
    """Return the samples of all shards."""
    return [sample for shard in shards for sample in rows_of(JudgedSample, context.store.read_table(shard))]
