"""Scores a student model with error bars: ``python -m flows.evaluate_student RECIPE [--set key=value]… [--out DIR]``.

A served model is asked every sample of every item, through the ledger: nothing is paid twice, and 16 samples after 4
pay for 12. Or a file of somebody's responses is judged: ``--set student.responses=FILE.jsonl``. Finished shards are
found when the command is run again, however it ended.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from flows.command_line import how_to_look, recipe_options, run_command, shown_place, work_done
from flows.engine.artifacts import scores_artifact
from flows.engine.context import RunContext
from flows.engine.events import tell_evaluated
from flows.engine.plain_run import found_run
from flows.engine.runners import local_runner
from flows.forms import EvaluationOverrides, EvaluationPath, Text
from flows.parameters import without_secrets
from flows.phases.evaluate import EvaluatedShards, all_samples, evaluate_all
from flows.teacher_from_env import load_evaluation_with_env
from tracemill.core import RecipeError, digest, pretty_json
from tracemill.evaluate.baseline import FACT, Baseline, read_evaluation
from tracemill.evaluate.publication import EVALUATION, EvaluationPublication, hub_results
from tracemill.evaluate.report import examples_of, markdown, render, report
from tracemill.evaluate.summary import Asked, summary
from tracemill.recipe.evaluation import Evaluation
from tracemill.store import Store

PUBLICATION_VERSION = 1
INCOMPLETE = 3  # exit status of an evaluation of which some samples could not be asked or judged


@dataclass(frozen=True)
class Scored:
    """What an evaluation has made.

    Attributes:
        out: the run's directory.
        scores: of :func:`tracemill.evaluate.summary.summary`.
        n_cached: tasks that were found finished.
        n_executed: tasks that were run.
    """

    out: str
    scores: dict[str, Any]
    n_cached: int
    n_executed: int


@without_secrets
@flow(name="evaluate-student", flow_run_name="evaluate {recipe}", task_runner=local_runner())
def evaluate_student(recipe: EvaluationPath, overrides: EvaluationOverrides = (), out: Text = "") -> Scored:
    """Scores a student model on benchmarks, with error bars.

    Args:
        recipe: The recipe of an evaluation: one that is shipped, or the path of another YAML file.
        overrides: Settings on top of it as section.key=value, one an item, such as student.temperature=0.8.
        out: Directory of the finished run; below runs/, as eval-NAME by the name of the recipe, if empty.
    """
    loaded = load_evaluation_with_env(recipe, list(overrides or ()), are_kept=True)
    return evaluate(RunContext(loaded, Store(loaded.run.store), get_run_logger()), out)


def evaluate(context: RunContext[Evaluation], out: str | None = None) -> Scored:
    """Run the method: in the flow run that is under way, or without Prefect (``flows/engine/plain_run.py``).

    Raises:
        TracemillError: what was finished before is kept.
    """
    recipe = context.recipe
    out = out or f"runs/eval-{recipe.name}"
    baseline = read_evaluation(recipe.baseline) if recipe.baseline else None
    _refuse_own_baseline(recipe.baseline, out)
    context.prepare(out, EVALUATION)
    found = evaluate_all(context)
    scores = summary(recipe, found.scores, Asked(found.served_as, found.n_prompts), baseline)
    publication = _publication(context, found, scores, baseline)
    n_before = context.n_executed
    context.export(publication, [found.items, *found.responses, *found.samples], out)
    if context.n_executed > n_before:
        n_samples = sum(shard.rows for shard in found.samples)
        tell_evaluated(recipe.name, out, publication.key, n_samples, _overall(scores))
    scores_artifact(context.artifacts, markdown(scores), context.tables, out)
    return Scored(out, scores, context.n_cached, context.n_executed)


def _overall(scores: dict[str, Any]) -> float | None:
    """Return the mean over benchmarks, or the score of the only one."""
    benchmarks: dict[str, dict[str, Any]] = scores["benchmarks"]
    told = scores["overall"] or (next(iter(benchmarks.values())) if len(benchmarks) == 1 else None)
    return None if told is None else told["avg"]


def _refuse_own_baseline(baseline: str | None, out: str) -> None:
    """Refuse a baseline that this very run would replace: every run would then compare with the one before it."""
    if baseline is not None and "://" not in out and Path(baseline).resolve() == Path(out).resolve():
        raise RecipeError(
            "the baseline is this run's own directory; nothing has run",
            got=baseline,
            expected="another finished evaluation",
            remedy="name another place with --out, or another baseline",
        )


def _publication(
    context: RunContext[Evaluation], found: EvaluatedShards, scores: dict[str, Any], baseline: Baseline | None
) -> EvaluationPublication:
    prompts: dict[str, str] = {}
    references: dict[str, str] = {}
    for shard in found.problems:
        columns = context.store.read_table(shard, ["id", "prompt", "reference_answer"]).to_pylist()
        prompts |= {row["id"]: row["prompt"] for row in columns}
        references |= {row["id"]: row["reference_answer"] for row in columns if row["reference_answer"] is not None}
    examples = examples_of(all_samples(context, found.samples), prompts, references)
    texts = {
        "scores.json": pretty_json(scores),
        "report.html": report(scores, examples),
        **hub_results(context.recipe, scores),
    }
    shards = [[shard.sha256 for shard in shards] for shards in ([found.items], found.responses, found.samples)]
    key = digest("evaluation", PUBLICATION_VERSION, shards, texts)
    facts = {
        FACT: context.recipe.name,
        "student": scores["student"],
        "verify_settings": context.recipe.verify.content(),
        "complete": scores["complete"],
        **({"baseline": baseline.key} if baseline else {}),
    }
    return EvaluationPublication(key, [found.items], found.responses, found.samples, texts, facts)


def render_summary(scored: Scored, seconds: float) -> str:
    """Return what was found and where it is."""
    where = shown_place(scored.out)
    return "\n".join(
        [
            "",
            render(scored.scores),
            "",
            work_done(scored.n_executed, scored.n_cached, seconds),
            f"scores    {where}/scores.json      (every figure; for the Hub: {where}/.eval_results)",
            f"items     {where}/items            (score of every item)",
            f"verdicts  {where}/verdicts         (one row a sample; its response is in {where}/responses)",
            f"report    {where}/report.html",
            f"the run   {how_to_look()}",
        ]
    )


def main() -> int:
    """Run the command; returns the exit status."""
    options = recipe_options(Path(__file__).stem, __doc__ or "").parse_args()
    made: list[Scored] = []

    def load() -> Evaluation:
        return load_evaluation_with_env(options.recipe, options.overrides)

    def tell(scored: Scored, seconds: float) -> str:
        made.append(scored)
        return render_summary(scored, seconds)

    status = run_command(
        Path(__file__).stem,
        lambda: evaluate_student(options.recipe, options.overrides, options.out),
        tell,
        load,
        lambda: found_run(load(), lambda context: evaluate(context, options.out)),
    )
    return INCOMPLETE if made and status == 0 and not made[0].scores["complete"] else status


if __name__ == "__main__":
    sys.exit(main())
